check ../../../specs/cswin-tiny.lips
