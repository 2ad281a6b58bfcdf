# doctor alone, without the example pipeline and its servers: docker build -t doctor .
#   docker run --rm -v "$PWD:/target:ro" --network host doctor check
FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/doctor && /opt/doctor/bin/pip install --no-cache-dir /source

FROM python:3.12-slim
COPY --from=build /opt/doctor /opt/doctor
ENV PATH=/opt/doctor/bin:$PATH
RUN useradd --create-home doctor
USER doctor
WORKDIR /target
ENTRYPOINT ["doctor"]
CMD ["check"]
