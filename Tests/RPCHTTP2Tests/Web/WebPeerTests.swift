import Certificates
import Glibc
import Loop
import RPC
import RPCHTTP2
import TLS
import Testing

/// Buf's command line as the client: the `buf` beside the Python of `JANJI_PYTHON` (PyPI's
/// buf-bin); without it the test is off.
private let python = getenv("JANJI_PYTHON").map { String(cString: $0) }
private let buf: String? = python.flatMap { python in
    let path = python.split(separator: "/").dropLast().map { "/" + $0 }
    let buf = path.joined() + "/buf"
    return access(buf, X_OK) == 0 ? buf : nil
}

@Suite("gRPC-Web and Connect: other people's clients", .timeLimit(.minutes(1)))
struct WebPeerTests {
    /// Runs a shell script; `$1` is the server's address, `$2` buf, `$3` python, `$4` the folder of
    /// certificates, `$5` the one of the contracts.
    private func script(_ text: String, _ server: TestServer) async throws -> Int32 {
        let child = try await ChildProcess.start(
            executable: "/bin/bash",
            arguments: [
                "-euo", "pipefail", "-c", text, "bash", server.target, buf ?? "", python ?? "",
                Certificates.shared.directory, contracts,
            ],
            environment: nil, user: nil, output: nil, on: server.loop)
        return await child.waitForExit()
    }

    @Test(
        "buf curl with reflection: unary, streams, failures", .enabled(if: buf != nil),
        arguments: ["grpc", "grpcweb", "connect"])
    func bufCurl(name: String) async throws {
        let server = try await WebBed.server()
        let code = try await script(
            """
            call() {
                HOME=/tmp "$2" curl --protocol \(name) --http2-prior-knowledge \\
                    "http://$1/bench.Bench/$3" -d "$4"
            }
            test "$(call "$1" "$2" Book '{"id":"b","lines":[{"qty":3}]}' | tr -d ' \\n')" = \\
                '{"id":"b","lines":[{"qty":3}]}'
            test "$(call "$1" "$2" Stream '{"n":4}' | tr -d ' \\n')" = \\
                '{"n":4}{"n":4}{"n":4}{"n":4}'
            test "$(call "$1" "$2" PingPong '{"n":1}{"n":2}' | tr -d ' \\n')" = \\
                '{"n":1}{"n":2}'
            set +e
            output=$(call "$1" "$2" Book '{"id":"fail"}' 2>&1)
            code=$?
            set -e
            test $code = $((9 << 3))
            grep -q 'tidak ada – nothing' <<<"$output"
            grep -q 'failed_precondition' <<<"$output"
            """, server)
        #expect(code == 0)
    }

    private var contracts: String {
        let folder = "\(#filePath)".split(separator: "/").dropLast(4).joined(separator: "/")
        return "/\(folder)/proto/bench"
    }

    @Test(
        "buf curl over HTTP/1.1", .enabled(if: buf != nil), arguments: ["grpcweb", "connect"])
    func bufCurlHTTP1(name: String) async throws {
        let server = try await WebBed.server()
        let code = try await script(
            """
            call() {
                HOME=/tmp "$2" curl --protocol \(name) --schema "$5" \\
                    "http://$1/bench.Bench/$3" -d "$4"
            }
            test "$(call "$1" "$2" Book '{"id":"b"}' "$5" | tr -d ' \\n')" = '{"id":"b"}'
            """, server)
        #expect(code == 0)
    }

    private func encrypted() async throws -> TestServer {
        try await WebBed.server(
            tls: Certificates.shared.server("localhost") {
                $0.applicationProtocols = ["h2", "http/1.1"]
            })
    }

    @Test(
        "buf curl over TLS", .enabled(if: buf != nil), arguments: ["grpc", "grpcweb", "connect"])
    func bufCurlTLS(name: String) async throws {
        let code = try await script(
            """
            port="${1##*:}"
            call() {
                HOME=/tmp "$buf" curl --protocol \(name) --cacert "$ca" \\
                    "https://localhost:$port/bench.Bench/$1" -d "$2"
            }
            buf="$2"; ca="$4/ca.pem"
            test "$(call Book '{"id":"b"}' | tr -d ' \\n')" = '{"id":"b"}'
            test "$(call Stream '{"n":2}' | tr -d ' \\n')" = '{"n":2}{"n":2}'
            test "$(call PingPong '{"n":1}{"n":2}' | tr -d ' \\n')" = '{"n":1}{"n":2}'
            """, try await encrypted())
        #expect(code == 0)
    }

    @Test(
        "curl: Connect unary and GET over every HTTP",
        arguments: [
            ("http", "--http1.1"), ("http", "--http2-prior-knowledge"), ("https", "--http1.1"),
            ("https", "--http2"),
        ])
    func curl(scheme: String, version: String) async throws {
        let server =
            if scheme == "https" { try await encrypted() } else { try await WebBed.server() }
        let code = try await script(
            """
            c() { curl -sS \(version) --cacert "$ca" "$@"; }
            ca="$4/ca.pem"
            set -- "localhost:${1##*:}"
            test "$(c -o /dev/null -w '%{http_version}' "\(scheme)://$1/nothing")" = \
                \(version.contains("2") ? "2" : "1.1")
            test "$(c "\(scheme)://$1/bench.Bench/Book" -H 'content-type: application/json' \\
                -d '{"id":"b"}')" = '{"id":"b"}'
            test "$(c -G "\(scheme)://$1/bench.Bench/Book" --data-urlencode 'message={"id":"b"}' \\
                -d encoding=json -d connect=v1)" = '{"id":"b"}'
            test "$(c "\(scheme)://$1/bench.Bench/Book" -H 'content-type: application/json' \\
                -d '{"id":"fail"}' -o /dev/null -w '%{http_code}')" = 400
            """, server)
        #expect(code == 0)
    }

    @Test(
        "Python's http.client: one connection, chunks both ways, errors",
        .enabled(if: python != nil), arguments: ["http", "https"])
    func httpClient(scheme: String) async throws {
        let server =
            if scheme == "https" { try await encrypted() } else { try await WebBed.server() }
        let code = try await script(
            """
            "$3" - \(scheme) "${1##*:}" "$4/ca.pem" <<'END'
            import http.client, json, ssl, struct, sys
            scheme, port, ca = sys.argv[1], int(sys.argv[2]), sys.argv[3]
            if scheme == "https":
                context = ssl.create_default_context(cafile=ca)
                context.set_alpn_protocols(["http/1.1"])
                c = http.client.HTTPSConnection("localhost", port, context=context)
            else:
                c = http.client.HTTPConnection("localhost", port)
            def post(method, type, body):
                c.request("POST", "/bench.Bench/" + method, body, {"Content-Type": type})
                answer = c.getresponse()
                return answer, answer.read()
            answer, body = post("Book", "application/json", '{"id":"b"}')
            first = c.sock
            assert (answer.status, json.loads(body)) == (200, {"id": "b"}), body
            assert answer.getheader("trailer-x-tail") == "t"
            pieces = iter([b'{"id"', b':"chunks"}'])
            answer, body = post("Book", "application/json", pieces)
            assert json.loads(body) == {"id": "chunks"}, body
            message = b'{"n":3}'
            frame = b"\\0" + struct.pack(">I", len(message)) + message
            answer, body = post("Stream", "application/connect+json", frame)
            assert body.startswith(frame * 3 + b"\\2"), body
            answer, body = post("Book", "application/json", '{"id":"fail"}')
            assert answer.status == 400 and json.loads(body)["code"] == "failed_precondition"
            assert c.sock is first
            answer, body = post("Book", "application/json", b" " * (5 << 20))
            assert answer.status == 429 and answer.getheader("connection") == "close", body
            c.close()
            c.request("GET", "/bench.Bench/Book?connect=v1&encoding=proto&base64=1&message=CgFi")
            answer = c.getresponse()
            assert (answer.status, answer.read()) == (200, b"\\n\\x01b")
            END
            """, server)
        #expect(code == 0)
    }
}
