check ../../../specs/lipsformer-cswin-tiny.lips
