"""The Faust worker. One road for a record:

agent -> lane (one per interaction) -> parse -> sequence -> decide
      -> [fetch -> rules -> intent -> patch] -> record -> outcome -> finish
"""
