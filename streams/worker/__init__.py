"""The Faust worker. Every record takes the same way:

agent -> lane (one per interaction) -> parse -> sequence -> decide
      -> [fetch -> rules -> intent -> patch] -> record -> outcome -> finish
"""
