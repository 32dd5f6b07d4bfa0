# One image for every container of docker-compose.yml: the services, the command line and the NATS server, on nothing else.
#
#	docker build -t sealstream .                                        builds in a container, and pulls golang for it
#	.ci/binaries dist && docker build -t sealstream --target prebuilt -f Dockerfile dist    takes what was built outside, and pulls nothing
#
# The last lines of both targets are the same; a test holds them to it. prebuilt comes first, as builders without BuildKit build all that stands before.
FROM scratch AS prebuilt
COPY --chown=65532:65532 . /
ENV PATH=/
USER 65532:65532
WORKDIR /secrets
ENTRYPOINT []
CMD ["sealstream", "--help"]

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN .ci/binaries /image

FROM scratch AS image
COPY --from=build --chown=65532:65532 /image /
ENV PATH=/
USER 65532:65532
WORKDIR /secrets
ENTRYPOINT []
CMD ["sealstream", "--help"]
