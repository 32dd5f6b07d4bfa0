# One image for every container of docker-compose.yml: the services, the command line and the NATS
# server, and nothing else.
#
# Build the programs in a container, with the image golang:
#	docker build -t sealstream .
# Copy programs that were built outside, without pulling an image:
#	.ci/binaries dist && docker build -t sealstream --target prebuilt -f Dockerfile dist
#
# A test checks that the last lines of both targets are the same. prebuilt comes first, because builders
# without BuildKit build every stage before the target.
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
