check ../../../specs/data/fashion-mnist-mini/train-images-idx3-ubyte.gz
