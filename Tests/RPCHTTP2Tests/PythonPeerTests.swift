import BenchSchema
import Glibc
import Loop
import RPC
import Testing

/// grpcio as the client. Needs `JANJI_PYTHON`, a Python with grpcio; without it the test is off.
private let python = getenv("JANJI_PYTHON").map { String(cString: $0) }

@Suite("gRPC over HTTP/2: Python grpcio as peer", .timeLimit(.minutes(1)))
struct PythonPeerTests {
    private static let script = """
        import sys, grpc
        ch = grpc.insecure_channel(sys.argv[1])
        same = lambda x: x
        assert ch.unary_unary('/bench.Bench/Echo')(b'\\n\\x03abc', timeout=5) == b'\\n\\x03abc'
        stream = ch.unary_stream('/bench.Bench/Stream')
        assert len(list(stream(b'\\x10\\xe8\\x07', timeout=5))) == 1000
        sent = [b'\\x10' + bytes([i]) for i in range(1, 50)]
        assert list(ch.stream_stream('/bench.Bench/PingPong')(iter(sent), timeout=5)) == sent
        try:
            ch.unary_unary('/bench.Bench/Nope')(b'', timeout=5)
            sys.exit(3)
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNIMPLEMENTED
        """

    @Test("unary, streaming, bidirectional and UNIMPLEMENTED", .enabled(if: python != nil))
    func grpcio() async throws {
        let server = try await TestServer { BenchMethods().register(in: $0) }
        let child = try await ChildProcess.start(
            executable: python ?? "", arguments: ["-c", PythonPeerTests.script, server.target],
            environment: nil, user: nil, output: nil, on: server.loop)
        #expect(await child.waitForExit() == 0)
    }
}
