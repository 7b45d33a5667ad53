import Compression
import HTTP2
import Loop
import RPC
import RPCHTTP2
import Testing

private func frame(_ flag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [flag] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) } + bytes
}

private let text = [UInt8](repeating: 7, count: 5000)

@Suite("gRPC over HTTP/2: compressed messages", .timeLimit(.minutes(5)))
struct CompressionCallTests {
    /// Echoes; the answer's first byte says whether the request came compressed.
    private func bed(
        _ configuration: ServerConfiguration = ServerConfiguration()
    ) async throws -> (TestServer, RawPeer) {
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                let message = try await call.receiveOnly()
                call.context.responseCompression = .gzip
                let mark: UInt8 = call.context.requestIsCompressed ? 1 : 0
                try call.sendOnly([mark] + message)
            }
            router.handle(Methods.bidi) { call in
                while let message = try await call.receive() {
                    let mark: UInt8 = call.context.requestIsCompressed ? 1 : 0
                    // The wish travels in the second byte: 0 no, 1 yes, else by the policy.
                    let wish = message.dropFirst().first.flatMap { $0 > 1 ? nil : $0 == 1 }
                    try await call.send([mark] + message, compress: wish)
                }
            }
        }
        let peer = try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        return (server, peer)
    }

    @Test("requests", arguments: [CompressionAlgorithm.gzip, .deflate])
    func request(algorithm: CompressionAlgorithm) async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            extra: [("grpc-encoding", algorithm.name)],
            pieces: [frame(1, try algorithm.compress(text))])
        #expect(answer.status == "0")
        // The client named nothing that it accepts: the answer is not compressed.
        #expect(answer.fields["grpc-encoding"] == nil)
        #expect(answer.body == frame(0, [1] + text))
    }

    @Test("an encoding does not oblige each message")
    func uncompressedAmongThem() async throws {
        let (_, peer) = try await bed()
        let pieces = [frame(0, [1]), frame(1, try CompressionAlgorithm.gzip.compress([2, 2]))]
        let answer = try await peer.request(
            path: "/test.T/Bidi", extra: [("grpc-encoding", "gzip")],
            pieces: [pieces[0] + pieces[1] + pieces[0], pieces[1]])
        #expect(answer.status == "0")
        let expected: [[UInt8]] = [[0, 1], [1, 2, 2], [0, 1], [1, 2, 2]]
        #expect(answer.body == expected.flatMap { frame(0, $0) })
    }

    @Test("responses: what the client accepts, at least the minimum size, smaller than before")
    func response() async throws {
        let (_, peer) = try await bed()
        let accept = [("grpc-accept-encoding", "br,gzip")]
        let large = try await peer.request(extra: accept, pieces: [frame(0, text)])
        #expect(large.fields["grpc-encoding"] == "gzip")
        #expect(large.fields["grpc-accept-encoding"] == "identity,gzip,deflate")
        #expect(large.body.first == 1)
        let inflated = try CompressionAlgorithm.gzip.decompress(
            Array(large.body.dropFirst(5)), limit: 5001)
        #expect(inflated == [0] + text)

        let small = try await peer.request(extra: accept, pieces: [frame(0, [9, 9])])
        #expect(small.body == frame(0, [0, 9, 9]))

        let other = try await peer.request(
            extra: [("grpc-accept-encoding", "deflate")], pieces: [frame(0, text)])
        #expect(other.fields["grpc-encoding"] == nil)
        #expect(other.body == frame(0, [0] + text))
    }

    @Test("a server compresses by its policy, and a message may say yes or no")
    func policy() async throws {
        var configuration = ServerConfiguration()
        configuration.compression.algorithm = .deflate
        configuration.compression.minimumBytes = 100
        let (_, peer) = try await bed(configuration)
        let messages: [[UInt8]] = [
            [3, 0] + text, [3, 1, 5], [3, 2] + text, [3, 2, 5], [3, 2] + text.prefix(97),
        ]
        let answer = try await peer.request(
            path: "/test.T/Bidi", extra: [("grpc-accept-encoding", "identity, deflate, gzip")],
            pieces: messages.map { frame(0, $0) })
        #expect(answer.fields["grpc-encoding"] == "deflate")
        var flags: [UInt8] = []
        var rest = answer.body[...]
        while rest.count >= 5 {
            flags.append(rest.removeFirst())
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4 + count)
        }
        #expect(flags == [0, 1, 1, 0, 1])
    }

    @Test("what a peer may get wrong")
    func hostile() async throws {
        var configuration = ServerConfiguration()
        configuration.maxMessageBytes = 64 << 10
        let (_, peer) = try await bed(configuration)
        let good = try CompressionAlgorithm.gzip.compress(text)
        let bomb = try CompressionAlgorithm.gzip.compress(
            [UInt8](repeating: 0, count: (64 << 10) + 1))
        let cases: [(encoding: String?, body: [UInt8], status: String)] = [
            (nil, frame(1, good), "13"), ("identity", frame(1, good), "13"),
            ("gzip", frame(2, good), "13"), ("gzip", frame(1, text), "13"),
            ("gzip", frame(1, Array(good.dropLast())), "13"),
            ("gzip", frame(1, good + [0]), "13"), ("gzip", frame(1, []), "13"),
            ("deflate", frame(1, good), "13"), ("gzip", frame(1, bomb), "8"),
            ("br", frame(1, good), "12"), ("br", frame(0, text), "12"),
            ("gzip", frame(1, good), "0"), ("gzip", frame(0, text), "0"),
        ]
        for path in ["/test.T/Unary", "/test.T/Bidi"] {
            for (encoding, body, status) in cases {
                let answer = try await peer.request(
                    path: path, extra: encoding.map { [("grpc-encoding", $0)] } ?? [],
                    pieces: [Array(body.prefix(7)), Array(body.dropFirst(7))])
                #expect(answer.status == status, "\(path) \(encoding ?? "-") \(body.prefix(9))")
                if status == "12" {
                    #expect(
                        answer.fields["grpc-accept-encoding"] == "identity,gzip,deflate")
                }
            }
        }
    }

    @Test(
        "a client and a server of ours, both ways",
        arguments: [CompressionAlgorithm.gzip, .deflate])
    func bothWays(algorithm: CompressionAlgorithm) async throws {
        let (server, _) = try await bed()
        let channel = try server.channel()
        let options = CallOptions(compression: algorithm)
        let answer = try await channel.unary(Methods.unary, text, options: options)
        #expect(answer == [1] + text)
        #expect(try await channel.unary(Methods.unary, [5], options: options) == [0, 5])

        let call = try await channel.start(
            Methods.bidi, metadata: Metadata(), options: options)
        for (message, wish, mark) in [
            (text, nil, 1), (text, false, 0), ([8], true, 1), ([8], nil, 0),
        ] as [([UInt8], Bool?, UInt8)] {
            try await call.send(message, compress: wish)
            #expect(try await call.receive() == [mark] + message)
            #expect(await call.responseIsCompressed == false)
        }
        call.finish()
        #expect(try await call.receive() == nil)
    }

    @Test("a client learns whether a response was compressed")
    func responseFlag() async throws {
        let (server, _) = try await bed()
        // Says by itself what it accepts.
        let channel = try server.channel()
        for (message, flag) in [(text, true), ([4], false)] {
            let call = try await channel.start(
                Methods.unary, metadata: Metadata(), options: CallOptions())
            try await call.send(message)
            call.finish()
            #expect(try await call.receive() == [0] + message)
            #expect(await call.responseIsCompressed == flag)
            #expect(try await call.receive() == nil)
        }
    }

    @Test("a client that accepts nothing is sent nothing compressed")
    func nothingAccepted() async throws {
        let (server, _) = try await bed()
        var configuration = ChannelConfiguration()
        configuration.compression.accepted = []
        let channel = try server.channel(configuration)
        let call = try await channel.start(
            Methods.unary, metadata: Metadata(), options: CallOptions())
        try await call.send(text)
        call.finish()
        #expect(try await call.receive() == [0] + text)
        #expect(await call.responseIsCompressed == false)
    }

    @Test("a client refuses what it cannot inflate")
    func hostileServer() async throws {
        let bomb = try CompressionAlgorithm.gzip.compress([UInt8](repeating: 0, count: 5 << 20))
        let small = try CompressionAlgorithm.gzip.compress(text)
        let cases: [(encoding: String?, body: [UInt8], code: RPCError.Code)] = [
            ("gzip", frame(1, bomb), .resourceExhausted),
            ("gzip", frame(1, text), .internalError), (nil, frame(1, small), .internalError),
            ("br", frame(1, small), .internalError), ("gzip", frame(3, small), .internalError),
            ("gzip", frame(1, small + small), .internalError),
        ]
        let loop = EventLoop(name: "raw")
        let listener = try await Listener.bind(
            .ipv4(host: "127.0.0.1", port: 0), on: loop
        ) { socket in
            guard let peer = try? RawPeer(socket, .server) else { return }
            peer.onRequest = { number, stream in
                peer.answer(stream, encoding: cases[number].encoding, body: cases[number].body)
            }
        }
        let channel = try HTTP2Channel(target: "\(listener.address)", loop: EventLoop())
        for (encoding, body, code) in cases {
            let error = await failure {
                _ = try await channel.unary(Methods.unary, [1])
            }
            #expect(error?.code == code, "\(encoding ?? "-") \(body.prefix(6))")
        }
    }
}
