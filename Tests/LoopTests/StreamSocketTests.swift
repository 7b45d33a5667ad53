import Environment
import Glibc
import Synchronization
import Testing

@testable import Loop

/// Sends back what it reads and remembers how the socket ended.
private final class Echo: StreamSocketHandler {
    let socket: StreamSocket
    init(_ socket: StreamSocket) { self.socket = socket }
    func socketDidRead(_ bytes: UnsafeRawBufferPointer) { socket.write(bytes) }
    func socketDidEnd() { socket.shutdown(); socket.close() }
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) {}
}

private final class Collector: StreamSocketHandler, @unchecked Sendable {
    private(set) var bytes: [UInt8] = []
    let wanted: Int
    private let done: CheckedContinuation<[UInt8], any Error>
    private var finished = false

    init(wanted: Int, _ done: CheckedContinuation<[UInt8], any Error>) {
        self.wanted = wanted
        self.done = done
    }

    func socketDidRead(_ more: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: more)
        if bytes.count >= wanted { finish() }
    }
    func socketDidEnd() { finish() }
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) {
        finish()
    }
    private func finish() {
        if !finished { done.resume(returning: bytes) }
        finished = true
    }
}

@Suite(.timeLimit(.minutes(5))) struct StreamSocketTests {
    static let addresses: [SocketAddress] = [
        .ipv4(host: "127.0.0.1", port: 0), .ipv6(host: "::1", port: 0),
        .unix(path: "/tmp/janji-loop-test-\(getpid())"),
    ]

    @Test(arguments: addresses, [1, 100_000, 3_000_000])
    func `every byte comes back in order`(address: SocketAddress, size: Int) async throws {
        let loop = EventLoop()
        // The sizes run side by side: each has a path of its own.
        let own: SocketAddress =
            if case .unix(let path) = address { .unix(path: "\(path)-\(size).sock") } else {
                address
            }
        let listener = try await Listener.bind(own, on: loop) { socket in
            socket.setHandler(Echo(socket))
            socket.startReading()
        }
        let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let client = try await StreamSocket.connect(to: listener.address, on: loop)
        let received: [UInt8] = try await withCheckedThrowingContinuation { continuation in
            loop.execute {
                client.setHandler(Collector(wanted: size, continuation))
                client.startReading()
                client.write(sent)
            }
        }
        #expect(received.count == sent.count)
        #expect(received.elementsEqual(sent))
        try await loop.submit { client.close() }
        await listener.close()
        await loop.stop()
    }

    @Test func `connecting to a closed port names the system's reason`() async throws {
        let loop = EventLoop()
        let error = await #expect(throws: LoopError.self) {
            _ = try await StreamSocket.connect(to: .ipv4(host: "127.0.0.1", port: 1), on: loop)
        }
        #expect(error?.name == "ECONNREFUSED")
        await loop.stop()
    }

    @Test func `a taken port is refused when listening`() async throws {
        let loop = EventLoop()
        let first = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) { _ in }
        let address = first.address
        let error = await #expect(throws: LoopError.self) {
            _ = try await Listener.bind(address, on: loop) { _ in }
        }
        #expect(error?.name == "EADDRINUSE")
        await loop.stop()
    }

    @Test func `names resolve and numbers are themselves`() async throws {
        let loop = EventLoop()
        let numeric = try await Resolver.resolve(host: "127.0.0.1", port: 80, on: loop)
        #expect(numeric == [.ipv4(host: "127.0.0.1", port: 80)])
        let local = try await Resolver.resolve(host: "localhost", port: 81, on: loop)
        #expect(local.contains { $0.port == 81 })
        await #expect(throws: LoopError.self) {
            _ = try await Resolver.resolve(host: "no.such.host.invalid", port: 1, on: loop)
        }
        await loop.stop()
    }

    @Test func `a child's exit status is told`() async throws {
        let loop = EventLoop()
        let child = try await ChildProcess.start(
            executable: "/bin/sh", arguments: ["-c", "exit 7"], on: loop)
        #expect(await child.waitForExit() == 7)
        let killed = try await ChildProcess.start(
            executable: "/bin/sleep", arguments: ["30"], on: loop)
        killed.signal(SIGTERM)
        #expect(await killed.waitForExit() == 128 + SIGTERM)
        await #expect(throws: LoopError.self) {
            _ = try await ChildProcess.start(
                executable: "/no/such/program", arguments: [], on: loop)
        }
        await loop.stop()
    }
}
