FROM python:3.12-slim
ENV PYTHONDONTWRITEBYTECODE 1
ENV PYTHONUNBUFFERED=1 PATH="/opt/venv/bin:$PATH" \
    PYTHONPATH=/code
RUN python -m venv /opt/venv
WORKDIR /code
COPY requirements.txt /tmp/requirements.txt
RUN <<EOF
set -ex
pip install -r /tmp/requirements.txt
CMD is not an instruction here
EOF
COPY . /code
EXPOSE 8000
CMD ["gunicorn", "--bind", ":8000", "--workers", "2", "--config", "/code/gunicorn.conf.py", "shop.wsgi"]
