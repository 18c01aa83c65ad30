check --set classes report.lips
