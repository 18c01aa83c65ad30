check ../../../node_modules/.cache/lipsc-test/large.lips
