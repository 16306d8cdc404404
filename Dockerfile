# kpipe alone in an image: a static executable, certificates, and nothing else.
#
#     docker build --tag kpipe .
#     docker run --rm --network host kpipe tail orders -l 5
#
# A shell script with kpipe in it: COPY --from=kpipe /usr/bin/kpipe /usr/bin/
FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && cargo build --release --locked --target "$target" \
    && cp "target/$target/release/kpipe" /kpipe

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /kpipe /usr/bin/kpipe
ENTRYPOINT ["/usr/bin/kpipe"]
