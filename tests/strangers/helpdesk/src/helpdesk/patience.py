import functools
import time


def patient(times):
    """Call again what fails, with a longer pause each time."""

    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            for attempt in range(times - 1):
                try:
                    return function(*args, **kwargs)
                except ConnectionError:
                    time.sleep(2**attempt)
            return function(*args, **kwargs)

        return wrapper

    return decorate
