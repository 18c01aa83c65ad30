chekc report.lips
