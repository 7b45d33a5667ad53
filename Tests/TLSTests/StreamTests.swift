import Certificates
import Glibc
import Loop
import RPCHTTP2
import Synchronization
import Testing

@testable import TLS

/// Streams over real sockets, without gRPC.
@Suite("TLS over a stream: back-pressure, limits and ends", .timeLimit(.minutes(5)))
struct StreamTests {
    private let files = Certificates.shared
    private let loop = EventLoop(name: "test")

    /// A connected pair; both begin to read when the test says so.
    private func pair(
        change: (inout TLSServerConfiguration) -> Void = { _ in }
    ) async throws -> (client: TLSStream, server: TLSStream) {
        let context = try files.server("localhost", change: change)
        let (accepted, continuation) = AsyncStream.makeStream(of: StreamSocket.self)
        let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
            continuation.yield($0)
        }
        let socket = try await StreamSocket.connect(to: listener.address, on: loop)
        guard let other = await accepted.first(where: { _ in true }) else {
            throw LoopError.cancelled("accept")
        }
        await listener.close()
        return (
            try TLSStream(socket, files.client(), host: "localhost"), try TLSStream(other, context)
        )
    }

    @Test("who does not read stops the sender, and misses nothing; in both directions")
    func backPressure() async throws {
        let size = 24 << 20
        let block = (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        for fromServer in [false, true] {
            let (client, server) = try await pair()
            let (sender, reader) = fromServer ? (server, client) : (client, server)
            let (outgoing, incoming) = (Ear(), Ear())
            try await loop.submit {
                sender.setHandler(outgoing)
                reader.setHandler(incoming)
                // Stops in the middle of what one read of the socket brings.
                incoming.onRead = { reader.stopReading() }
                sender.startReading()
                reader.startReading()
                for _ in 0..<(size / block.count) { sender.write(block) }
            }
            await incoming.wait(on: loop) { !$0.bytes.isEmpty }
            // The kernel's buffers hold some megabytes; the rest waits at the sender.
            try await loop.sleep(for: .milliseconds(100))
            let (got, queued) = try await loop.submit { (incoming.bytes.count, sender.queuedBytes) }
            #expect(got <= 16 << 10)
            #expect(queued > size / 4)
            try await loop.submit {
                incoming.onRead = nil
                reader.startReading()
            }
            await incoming.wait(on: loop) { $0.bytes.count >= size }
            await outgoing.wait(on: loop) { $0.drains > 0 }
            let isWhole = try await loop.submit {
                sender.queuedBytes == 0 && incoming.bytes.count == size
                    && stride(from: 0, to: size, by: block.count).allSatisfy {
                        incoming.bytes[$0..<($0 + block.count)].elementsEqual(block)
                    }
            }
            #expect(isWhole)
            try await loop.submit { sender.close() }
            // `close_notify`, then the end of the socket.
            await incoming.wait(on: loop) { $0.hasEnded }
            try await loop.submit { reader.close() }
        }
    }

    @Test("shutdown says goodbye once what was written is out, and the other way stays open")
    func halfClose() async throws {
        let (client, server) = try await pair()
        let (ear, other) = (Ear(), Ear())
        try await loop.submit {
            client.setHandler(ear)
            server.setHandler(other)
            client.startReading()
            server.startReading()
            // Before the handshake: both wait.
            client.write(Array("last words".utf8))
            client.shutdown()
            #expect(client.queuedBytes >= 10)
        }
        await other.wait(on: loop) { $0.hasEnded }
        try await loop.submit {
            #expect(other.bytes == Array("last words".utf8))
            server.write(Array("answer".utf8))
            server.close()
        }
        await ear.wait(on: loop) { $0.hasEnded && $0.bytes == Array("answer".utf8) }
        try await loop.submit { client.close() }
        #expect(await ear.waitForClose(on: loop) == "")
    }

    @Test("a peer that demands answers and does not read them is cut off")
    func unreadAnswers() async throws {
        let context = try files.server("localhost")
        let (accepted, continuation) = AsyncStream.makeStream(of: StreamSocket.self)
        let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
            continuation.yield($0)
        }
        let socket = try await StreamSocket.connect(to: listener.address, on: loop)
        guard let end = await accepted.first(where: { _ in true }) else { return }
        let stream = try TLSStream(end, context)
        let byHand = ByHand(try TLSSession(files.client(), host: "localhost"))
        let (ear, raw) = (Ear(), Ear())
        let carry: @Sendable () -> Void = { byHand.session.takeOutput { socket.write($0) } }
        try await loop.submit {
            stream.setHandler(ear)
            stream.startReading()
            socket.setHandler(raw)
            socket.startReading()
            try byHand.session.start()
            carry()
        }
        // The handshake by hand, then silence: what the server queues cannot leave.
        while try await loop.submit({ byHand.session.agreement == nil }) {
            await raw.wait(on: loop) { !$0.bytes.isEmpty }
            try await loop.submit {
                try raw.drain { try byHand.session.receive($0) { _ in true } }
                carry()
            }
        }
        await ear.wait(on: loop) { _ in stream.agreement != nil }
        try await loop.submit {
            socket.stopReading()
            stream.write([UInt8](repeating: 7, count: 16 << 20))
            #expect(stream.queuedBytes > 0)
            for _ in 0..<2_000 {
                byHand.session.updateKey(wantingTheirs: true)
                try [1].withUnsafeBytes { try byHand.session.write($0) }
            }
            carry()
        }
        await ear.wait(on: loop) { _ in !stream.isOpen }
        #expect(await ear.waitForClose(on: loop).contains("does not read them"))
        try await loop.submit { socket.close() }
    }

    @Test("a handshake that does not come to its end is ended")
    func slowHandshake() async throws {
        let (client, server) = try await pair { $0.handshakeTimeout = .milliseconds(50) }
        let ear = Ear()
        try await loop.submit {
            server.setHandler(ear)
            server.startReading()
        }
        #expect(await ear.waitForClose(on: loop).contains("handshake was not over within 0.05"))
        try await loop.submit { client.close() }
    }
}

/// A session that a test drives, on its loop.
private final class ByHand: @unchecked Sendable {
    let session: TLSSession
    init(_ session: TLSSession) { self.session = session }
}
