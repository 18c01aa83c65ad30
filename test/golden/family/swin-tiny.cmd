check ../../../specs/swin-tiny.lips
