"""Names of popular projects, to tell what is meant to be taken for one of them."""

from __future__ import annotations

_POPULAR = frozenset(
    """
    requests urllib3 certifi idna charset-normalizer setuptools boto3 botocore s3transfer awscli numpy pandas scipy
    matplotlib scikit-learn tensorflow torch torchvision keras pillow opencv-python django flask fastapi starlette uvicorn
    gunicorn werkzeug jinja2 markupsafe click typer rich pydantic pydantic-core sqlalchemy alembic psycopg2 psycopg2-binary
    pymysql pymongo redis celery kombu aiohttp aiohappyeyeballs aiosignal frozenlist multidict yarl httpx httpcore anyio
    sniffio websockets websocket-client beautifulsoup4 lxml html5lib scrapy selenium playwright cryptography pyopenssl
    pycryptodome bcrypt paramiko fabric pyjwt oauthlib requests-oauthlib google-auth google-api-core protobuf grpcio azure-core
    azure-identity msal openai anthropic litellm langchain langchain-core transformers tokenizers huggingface-hub datasets
    tiktoken colorama termcolor tqdm loguru prettytable tabulate pyyaml ruamel-yaml toml tomli tomlkit simplejson orjson ujson
    python-dateutil pytz tzdata packaging pluggy pytest pytest-cov coverage tox nox virtualenv pip wheel poetry pipenv black
    flake8 pylint mypy ruff isort pre-commit sphinx docutils jupyter jupyterlab notebook ipython ipykernel attrs typing-extensions
    six filelock platformdirs psutil watchdog gitpython docker kubernetes ansible discord-py telethon pyrogram python-telegram-bot
    web3 eth-account ccxt solana bitcoinlib pyautogui pynput cachetools jsonschema marshmallow python-dotenv faker freezegun
    responses moto nltk spacy gensim sympy networkx plotly dash streamlit gradio seaborn xgboost lightgbm joblib cloudpickle dill
    pyarrow polars duckdb snowflake-connector-python sentry-sdk newrelic ddtrace prometheus-client structlog elasticsearch
    cython numba llvmlite pyinstaller pywin32 zipp importlib-metadata greenlet gevent tornado twisted regex emoji
    """.split()
)
_KNOWN_NEIGHBOURS = frozenset(
    """
    tomli toml tomlkit tomli-w torch torchx dash dask rich click flask nose nox tox mock moto keras yarl arrow black blake
    request requests-mock attrs attr pytest pytests pandas numpy scipy pip pipx pipenv jsonschema jinja2 redis rediscluster
    responses response httpx http typer types docker dockers lxml pymysql pyarrow pytz dill duckdb psycopg psycopg2 pycryptodomex
    pycryptodome pyyaml six sphinx sympy tabulate tqdm ujson web3 wheel zipp cachetools colorama coverage tensorboard tinydb boto
    botocore boto3 django-q django1 flake8 black regex redis-py scrapyd ruff yapf pyjwt pyjwkest pylint selenium seleniumbase
    authlib bpython cymysql fastai pymssql tokenize-rt
    """.split()
)
"""Honest projects whose names are near a popular one's."""


def lookalike(name: str) -> str:
    """Return the popular project that a name is meant to be taken for; empty if there is none.

    Args:
        name: Normalized (PEP 503).

    A name counts that differs from one of at least six letters by one letter
    added, left out, changed or swapped with its neighbour, or by separators only.
    """
    if name in _POPULAR or name in _KNOWN_NEIGHBOURS:
        return ""
    bare = name.replace("-", "")
    for popular in _POPULAR:
        other = popular.replace("-", "")
        if len(other) >= 6 and abs(len(bare) - len(other)) <= 1 and (bare == other or _one_edit(bare, other)):  # noqa: PLR2004
            return popular
    return ""


def _one_edit(first: str, second: str) -> bool:
    if len(first) > len(second):
        first, second = second, first
    place = next((at for at, (one, other) in enumerate(zip(first, second)) if one != other), len(first))
    if len(first) == len(second):
        swapped = first[:place] + first[place + 1 : place + 2] + first[place : place + 1] + first[place + 2 :]
        # A figure at the end is another generation of the same thing, not a misspelling.
        return (first[place + 1 :] == second[place + 1 :] and not second[place : place + 1].isdigit()) or swapped == second
    return first[place:] == second[place + 1 :] and not second[place].isdigit() and second != f"{first}s" and second != f"py{first}"
