"""The Faust worker. What needs no call is decided where it is taken up, all else in
its lane:

agent -> parse -> [lane (one per interaction)] -> sequence -> decide
      -> [fetch -> rules -> intent -> patch] -> record -> outcome -> finish
"""
