def settings():
    return {}["SECRET_KEY"]


SETTINGS = settings()
