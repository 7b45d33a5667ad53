import Glibc
import Loop
import RPC
import RPCHTTP2
import Testing

/// Buf's command line as the client: the `buf` beside the Python of `JANJI_PYTHON` (PyPI's
/// buf-bin); without it the test is off.
private let buf: String? = getenv("JANJI_PYTHON").flatMap { python in
    let path = String(cString: python).split(separator: "/").dropLast().map { "/" + $0 }
    let buf = path.joined() + "/buf"
    return access(buf, X_OK) == 0 ? buf : nil
}

@Suite("gRPC-Web and Connect: other people's clients", .timeLimit(.minutes(1)))
struct WebPeerTests {
    /// Runs a shell script; `$1` is the server's address.
    private func script(_ text: String, _ server: TestServer) async throws -> Int32 {
        let child = try await ChildProcess.start(
            executable: "/bin/bash",
            arguments: ["-euo", "pipefail", "-c", text, "bash", server.target, buf ?? ""],
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

    @Test("curl: Connect unary and GET over HTTP/2")
    func curl() async throws {
        let server = try await WebBed.server()
        let code = try await script(
            """
            c() { curl -sS --http2-prior-knowledge "$@"; }
            test "$(c "http://$1/bench.Bench/Book" -H 'content-type: application/json' \\
                -d '{"id":"b"}')" = '{"id":"b"}'
            test "$(c -G "http://$1/bench.Bench/Book" --data-urlencode 'message={"id":"b"}' \\
                -d encoding=json -d connect=v1)" = '{"id":"b"}'
            test "$(c "http://$1/bench.Bench/Book" -H 'content-type: application/json' \\
                -d '{"id":"fail"}' -o /dev/null -w '%{http_code}')" = 400
            """, server)
        #expect(code == 0)
    }
}
