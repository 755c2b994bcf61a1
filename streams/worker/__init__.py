"""The Faust worker. One way for a record:

agent -> lane (one per interaction) -> parse -> sequence -> decide
      -> [fetch -> rules -> intent -> patch] -> record -> outcome -> finish
"""
