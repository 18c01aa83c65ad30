check ../../../specs/lipsformer-swin-tiny.lips
