import BenchSchema
import Certificates
import Glibc
import Loop
import RPC
import RPCHTTP2
import TLS
import Telemetry
import Testing

@Suite("A TLS server: reload, bad clients, other programs", .timeLimit(.minutes(5)))
struct ServerTests {
    private let files = Certificates.shared

    private func copy(_ source: String, over target: String, in files: Certificates) {
        for kind in ["key", "pem"] {
            _ = system("cp \(files.path(source)).\(kind) \(files.path(target)).\(kind)")
        }
    }

    @Test("new certificates serve new connections; a running stream is not touched; bad files")
    func reload() async throws {
        let files = Certificates()
        copy("localhost", over: "live", in: files)
        let server = try await SecureServer(
            files.server("live") { $0.reloadInterval = .milliseconds(20) })
        let channel = try server.channel(files.client())
        let call = try await Bench.BenchClient(channel).pingPong()
        var answers = call.responses.makeAsyncIterator()
        var message = Bench.Msg()
        func ping() async throws -> Int32? {
            message.n += 1
            try await call.send(message)
            return try await answers.next()?.n
        }
        #expect(try await ping() == 1)

        copy("server1", over: "live", in: files)
        #expect(await server.log.line(with: "certificates reloaded").contains("test.google.com"))
        let new = try server.channel(files.client { $0.serverName = "a.test.google.fr" })
        #expect(try await new.unary(Methods.echo, [1]) == [1])
        #expect(try await ping() == 2)

        _ = system("echo rubbish > \(files.path("live.pem"))")
        #expect(await server.log.line(with: "no usable certificate").contains("the old ones stay"))
        let other = try server.channel(files.client { $0.serverName = "b.test.google.fr" })
        #expect(try await other.unary(Methods.echo, [2]) == [2])
        #expect(try await ping() == 3)
        // Who looks for new files does so until the server has left, also while the tests end.
        _ = await server.server.drain(grace: .zero)
    }

    @Test("files that could not be used are tried again; the log names each trouble once")
    func triedAgain() async throws {
        let files = Certificates()
        copy("localhost", over: "live", in: files)
        let interval = Duration.milliseconds(2)
        let server = try await SecureServer(files.server("live") { $0.reloadInterval = interval })
        func troubles() -> Int { server.log.all.count { $0.contains("not reloaded") } }
        _ = system("mv \(files.path("live.key")) \(files.path("away.key"))")
        _ = await server.log.line(with: "live.key")
        // Looks that only weaken the test when they do not come.
        for _ in 0..<20 { try await server.loop.sleep(for: interval) }
        #expect(troubles() == 1)
        _ = system("echo rubbish > \(files.path("live.pem"))")
        copy("server1", over: "live", in: files)
        _ = await server.log.line(with: "test.google.com")
        let told = troubles()
        for _ in 0..<20 { try await server.loop.sleep(for: interval) }
        #expect(troubles() == told)
    }

    @Test("garbage, silence and half a hello: the honest client beside them is served")
    func badClients() async throws {
        let server = try await SecureServer(
            files.server("localhost") { $0.handshakeTimeout = .seconds(1) })
        let channel = try server.channel(files.client())
        // The limit is theirs, too, when the machine stalls: then they connect again.
        let patient = CallOptions(waitForReady: true)
        #expect(try await channel.unary(Methods.echo, [1], options: patient) == [1])
        let hello = try TLSSession(files.client(), host: "localhost")
        try hello.start()
        var half: [UInt8] = []
        hello.takeOutput { half += $0.prefix($0.count / 2) }
        // A record of the largest length, which never comes; a fatal alert; zero bytes.
        let attacks: [[UInt8]] = [
            [], half, [22, 3, 1, 0x40, 0], [21, 3, 3, 0, 2, 2, 40],
            [UInt8](repeating: 0, count: 70_000), [22, 3, 3, 0xFF, 0xFF] + half,
            (0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) },
        ]
        for attack in attacks {
            let socket = try await StreamSocket.connect(to: server.address, on: channel.loop)
            let ear = Ear()
            try await channel.loop.submit {
                socket.setHandler(ear)
                socket.startReading()
                if !attack.isEmpty { socket.write(attack) }
            }
            // The server ends each of them.
            await ear.wait(on: channel.loop) { $0.hasEnded || $0.closeError != nil }
            try await channel.loop.submit { socket.close() }
        }
        #expect(try await channel.unary(Methods.echo, [2]) == [2])
        let second = try server.channel(files.client())
        #expect(try await second.unary(Methods.echo, [3], options: patient) == [3])
    }

    @Test("bytes that come one by one, both ways")
    func dribble() async throws {
        let server = try await SecureServer(nil)
        let context = try files.server("localhost")
        let listener = try await Listener.bind(
            .ipv4(host: "127.0.0.1", port: 0), on: server.loop
        ) { socket in
            server.server.accept(Dribble(socket), tls: context)
        }
        var configuration = ChannelConfiguration()
        configuration.tls = try files.client()
        let channel = try HTTP2Channel(
            target: "localhost:\(listener.address.port ?? 0)", loop: EventLoop(name: "client"),
            configuration: configuration)
        let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try await channel.unary(Methods.echo, bytes) == bytes)
        await listener.close()
    }

    @Test("a megabyte at a time both ways at once, through windows and records")
    func largeMessages() async throws {
        let server = try await SecureServer(files.server("localhost"))
        let channel = try server.channel(files.client())
        let bytes = (0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 >> 9 &+ $0) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<6 {
                group.addTask { try await channel.unary(Methods.echo, bytes) == bytes }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }

    @Test("a client of a UNIX socket is known by its process and user")
    func unixPeer() async throws {
        let path = files.path("peer.sock")
        let server = try await SecureServer(nil, on: .unix(path: path))
        let channel = try HTTP2Channel(target: "unix:\(path)", loop: EventLoop(name: "client"))
        let who = try await channel.unary(Methods.credentials, [])
        #expect(String(decoding: who, as: UTF8.self) == "\(getpid()) \(getuid()) \(getgid())")
        _ = await server.server.drain(grace: .zero)
    }

    @Test("the key logs of both ends name the same secrets")
    func keyLog() async throws {
        let (ours, theirs) = (files.path("server.log"), files.path("client.log"))
        let server = try await SecureServer(files.server("localhost") { $0.keyLogFile = ours })
        let channel = try server.channel(files.client { $0.keyLogFile = theirs })
        #expect(try await channel.unary(Methods.echo, [1]) == [1])
        let lines = try [ours, theirs].map { path in
            Set(try TextFile.contents(path).split(separator: "\n").map(String.init))
        }
        #expect(lines[0] == lines[1])
        #expect(lines[0].contains { $0.hasPrefix("CLIENT_TRAFFIC_SECRET_0 ") })
        var status = stat()
        #expect(stat(ours, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    struct Visitor: Sendable, CustomStringConvertible {
        var description: String
        var arguments: String
        var succeeds: Bool
    }

    @Test(
        "openssl s_client: what is agreed to and what is not",
        arguments: [
            Visitor(description: "TLS 1.3", arguments: "-alpn h2", succeeds: true),
            Visitor(description: "TLS 1.2", arguments: "-alpn h2 -tls1_2", succeeds: true),
            Visitor(description: "TLS 1.1", arguments: "-alpn h2 -tls1_1", succeeds: false),
            Visitor(description: "no ALPN", arguments: "", succeeds: false),
            Visitor(description: "HTTP/1.1 only", arguments: "-alpn http/1.1", succeeds: false),
            Visitor(
                description: "CBC",
                arguments: "-alpn h2 -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256", succeeds: false),
            Visitor(
                description: "another name", arguments: "-alpn h2 -verify_hostname example.com",
                succeeds: false),
        ])
    func visitors(_ visitor: Visitor) async throws {
        let server = try await SecureServer(files.server("localhost"))
        let code = try await server.loop.blocking {
            system(
                "openssl s_client -connect \(server.address) -CAfile \(files.path("ca.pem")) "
                    + "-verify_return_error -verify_hostname localhost \(visitor.arguments) "
                    + "< /dev/null > /dev/null 2>&1")
        }
        #expect((code == 0) == visitor.succeeds)
    }
}
