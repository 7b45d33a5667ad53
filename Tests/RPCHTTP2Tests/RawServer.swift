import HTTP2
import Loop
import Synchronization
import TestKit

/// A server whose every answer the test decides: what a real one would do only under load.
final class RawServer: @unchecked Sendable {
    // Confined to the loop, but for `address`.

    /// One whole request, on the loop.
    struct Request: @unchecked Sendable {
        let peer: RawPeer
        let stream: RawPeer.Stream
        /// Of all connections together, from 0.
        let number: Int
        /// Which connection, from 0.
        let connection: Int

        /// Headers, messages, trailers; without messages trailers only.
        func answer(_ message: [UInt8]?, status: Int = 0, fields: [(String, String)] = []) {
            guard stream.session != nil else { return }
            let trailers = HTTP2Fields()
            guard let message else {
                trailers.append(":status", "200")
                trailers.append("content-type", "application/grpc")
                trailers.append("grpc-status", "\(status)")
                for (name, value) in fields { trailers.append(name, value) }
                peer.session?.respondOnly(stream, trailers)
                return
            }
            begin()
            _ = ([0, 0, 0, 0, UInt8(message.count)] + message).withUnsafeBytes { stream.write($0) }
            trailers.append("grpc-status", "\(status)")
            stream.endBody(trailers: trailers)
        }

        /// The response headers.
        func begin() {
            let headers = HTTP2Fields()
            headers.append(":status", "200")
            headers.append("content-type", "application/grpc")
            peer.session?.respond(stream, headers)
        }

        /// As unary calls of one message up to 255 bytes have it.
        var message: [UInt8] { Array(stream.body.dropFirst(5)) }
        /// `grpc-previous-rpc-attempts`.
        var previous: String? { stream.fields["grpc-previous-rpc-attempts"] }
    }

    let loop = EventLoop(name: "raw")
    private(set) var address = SocketAddress.ipv4(host: "127.0.0.1", port: 0)
    private var listener: Listener?
    private var peers: [RawPeer] = []
    private var requests: [Request] = []
    private var accepted = 0

    init(
        on address: SocketAddress = .ipv4(host: "127.0.0.1", port: 0), maxStreams: UInt32 = 100,
        _ script: @escaping @Sendable (Request) -> Void
    ) async throws {
        var configuration = HTTP2Configuration()
        configuration.maxConcurrentStreams = maxStreams
        let settings = configuration
        let listener = try await RawServer.bind(address, on: loop) { [self] socket in
            guard let peer = try? RawPeer(socket, .server, settings) else { return }
            let connection = accepted
            accepted += 1
            peers.append(peer)
            peer.onRequest = { [self, unowned peer] _, stream in
                let request = Request(
                    peer: peer, stream: stream, number: requests.count, connection: connection)
                requests.append(request)
                script(request)
            }
        }
        self.listener = listener
        self.address = listener.address
    }

    /// A port that was ours may be taken for a moment: a child process has our descriptors until it
    /// runs its program.
    private static func bind(
        _ address: SocketAddress, on loop: EventLoop,
        _ accept: @escaping @Sendable (StreamSocket) -> Void
    ) async throws -> Listener {
        for _ in 0..<1000 {
            do {
                return try await Listener.bind(address, on: loop, accept)
            } catch let error as LoopError where error.name == "EADDRINUSE" {
                try await loop.sleep(for: .milliseconds(20))
            }
        }
        return try await Listener.bind(address, on: loop, accept)
    }

    /// Connections so far.
    var connections: Int { get async throws { try await loop.submit { [self] in accepted } } }

    var openConnections: Int {
        get async throws { try await loop.submit { [self] in peers.count { $0.socket.isOpen } } }
    }

    var received: [Request] { get async throws { try await loop.submit { [self] in requests } } }

    /// Waits until that many requests have come.
    func received(_ count: Int) async throws -> [Request] {
        while true {
            let requests = try await received
            if requests.count >= count { return requests }
            try await loop.sleep(for: .milliseconds(2))
        }
    }

    /// Streams that are open, of every connection.
    var openStreams: Int {
        get async throws {
            try await loop.submit { [self] in peers.reduce(0) { $0 + $1.openStreams.count } }
        }
    }

    func onPeers(_ body: @escaping @Sendable (RawPeer) -> Void) async throws {
        try await loop.submit { [self] in for peer in peers { body(peer) } }
    }

    /// Accepts no more and breaks what there is.
    func kill() async throws {
        await listener?.close()
        try await onPeers { $0.socket.close() }
    }
}

extension SocketAddress {
    /// A port of the loopback that nobody else is given while its server is away.
    static func kept() throws -> SocketAddress {
        .ipv4(host: "127.0.0.1", port: try LocalPort.find())
    }
}

/// Waits until the condition holds; the suite's time limit ends what never does.
func until(_ condition: () async throws -> Bool) async throws {
    while try await !condition() { try await Task.sleep(for: .milliseconds(2)) }
}
