from pydantic_settings import BaseSettings, SettingsConfigDict


class Config(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    database_url: str
    redis_url: str = "redis://localhost:6379/0"
    ollama_host: str = "http://localhost:11434"
    embedding_model: str = "nomic-embed-text"
    summary_model: str = "qwen2:7b-instruct-q4_K_M"
    digest_size: int = 20
    issuer: str = "https://login.example.com"


config = Config()
