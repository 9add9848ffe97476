import no_such_package_anywhere


def application(environ, start_response):
    return []
