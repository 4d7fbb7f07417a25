"""The six frontier points of Hernandez and Brown (2020), Table 3, in teraflop/s-days."""

DATES = ["2012-06-01", "2014-09-17", "2017-04-17", "2017-07-04", "2018-07-30", "2019-05-28"]
VALUES = [3.07986, 0.710648, 0.277778, 0.149306, 0.125, 0.0694444]
