check nowhere.lips
