check --format yaml report.lips
