check ../../../node_modules/.cache/lipsc-golden/large.lips
