import BenchSchema
import Glibc
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct DoctorTests {
    @Test("our own server is well") func healthy() async throws {
        try await Fixture.with { server in
            let result = try await server.run("ADDRESS", "doctor")
            #expect(result.code == 0, "\(result.output)")
            #expect(!result.output.contains("FAIL "))
            for part in [
                "ok    settings      streams 1000,", "ok    ping          answered in",
                "ok    health        SERVING", "ok    trailers ", "ok    unimplemented ",
                "ok    content-type ", "ok    deadline      grpc-timeout 200 ms ended the call",
                "ok    cancel        200 cancelled calls do not harm",
                "ok    message size  4 MiB + 1 are refused", "ok    compression   gzip is accepted",
                "ok    encodings ", "ok    framing ", "\n0 failed, ",
            ] {
                #expect(result.output.contains(part), "\(part) in \(result.output)")
            }
        }
    }

    @Test("as JSON; without reflection health is called, and missing parts are told") func json()
        async throws
    {
        try await Fixture.with(.none) { server in
            let result = try await server.run("-json", "ADDRESS", "doctor")
            let json = try JSONValue.parse(Array(result.output.utf8))
            #expect(json["failed"] == 0 && json["warnings"] == 1, "\(result.output)")
            let checks = try #require(json["checks"]?.array)
            #expect(checks.contains { $0["check"] == "reflection" && $0["verdict"] == "warn" })
            #expect(checks.contains { $0["check"] == "deadline" && $0["verdict"] == "ok" })
            #expect(result.code == 0)
        }
    }

    @Test("without health and reflection the method is called that the caller names") func named()
        async throws
    {
        let router = Router()
        BenchMethods(onStream: nil).register(in: router)
        let loop = EventLoop(name: "bare")
        let server = RPCServer(router: router)
        let address = try await server.listen(on: .ipv4(host: "127.0.0.1", port: 0), loop: loop)
            .address
        var result = try await Fixture.run(["\(address)", "doctor"])
        #expect(result.output.contains("doctor SERVICE/METHOD names a method"), "\(result.output)")
        result = try await Fixture.run(["\(address)", "doctor", "bench.Bench/Echo"])
        for part in [
            "ok    trailers ", "ok    content-type ", "ok    deadline ", "ok    cancel ",
            "ok    message size  4 MiB + 1 are refused", "ok    compression ", "ok    encodings ",
            "ok    framing ", "\n0 failed, 2 warnings",
        ] {
            #expect(result.output.contains(part), "\(part) in \(result.output)")
        }
        _ = await server.drain(grace: .zero)
        await loop.stop()
    }

    @Test("limits that differ from the usual are told") func limits() async throws {
        var configuration = ServerConfiguration(
            maxMessageBytes: 16 << 20, maxConcurrentStreams: 10)
        configuration.compression.accepted = []
        try await Fixture.with(configuration: configuration) { server in
            let result = try await server.run("ADDRESS", "doctor")
            #expect(result.output.contains("warn  settings      streams 10,"), "\(result.output)")
            #expect(result.output.contains("warn  message size  4 MiB + 1 are accepted"))
            #expect(result.output.contains("ok    compression   gzip is refused as it should be"))
            #expect(result.code == 0)
        }
    }

    @Test("no gRPC server there") func others() async throws {
        var result = try await Fixture.run(["127.0.0.1:1", "doctor"])
        #expect(result.code == 1 && result.notes.contains("nothing listens at 127.0.0.1:1"))
        let loop = EventLoop(name: "http1")
        let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
            socket in
            socket.write(Array("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n".utf8))
            socket.close()
        }
        let port = listener.address.port ?? 0
        result = try await Fixture.run(["127.0.0.1:\(port)", "doctor"])
        #expect(result.code == 1)
        #expect(result.notes.contains("accepted the connection and ended it"), "\(result.notes)")
        await loop.stop()
    }
}
