import jwt
from fastapi import Header, HTTPException

from helpdesk.config import config

keys = jwt.PyJWKClient(f"{config.issuer}/.well-known/jwks.json")


def visitor(authorization: str = Header()) -> str:
    token = authorization.removeprefix("Bearer ")
    try:
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["RS256"], issuer=config.issuer, options={"verify_aud": False})
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error
    return str(claims["sub"])
