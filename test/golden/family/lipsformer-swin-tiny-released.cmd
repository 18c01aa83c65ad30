check ../../../specs/lipsformer-swin-tiny-released.lips
