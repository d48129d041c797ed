# The service and its command line, as an unprivileged user.

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir --no-compile -c /tmp/constraints.txt "$(echo /tmp/wheels/*.whl)[tracing]" \
    && rm -r /tmp/wheels /tmp/constraints.txt \
    && useradd --system --no-create-home --uid 10001 observatory
USER 10001
EXPOSE 4318
ENTRYPOINT ["observatory-store"]
CMD ["serve", "--host", "0.0.0.0"]
