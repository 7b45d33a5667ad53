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

private final class LastWords: StreamSocketHandler, @unchecked Sendable {
    struct End: Sendable {
        let bytes: [UInt8]
        let error: (any Error)?
    }

    private var bytes: [UInt8] = []
    private let done: CheckedContinuation<End, any Error>

    init(_ done: CheckedContinuation<End, any Error>) { self.done = done }

    func socketDidRead(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }
    func socketDidEnd() {}
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) {
        done.resume(returning: End(bytes: bytes, error: error))
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

    /// The peer says something and breaks the connection before we write: what it said is heard
    /// (a GOAWAY, a TLS alert), and then the socket closes with the error of the write.
    @Test(arguments: [1, 2_000_000]) func `last words are heard`(size: Int) async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        #expect(isBound)
        let loop = EventLoop()
        let port = UInt16(bigEndian: address.sin_port)
        let client = try await StreamSocket.connect(
            to: .ipv4(host: "127.0.0.1", port: port), on: loop)
        let peer = accept(listener, nil, nil)
        let words = Array("go away".utf8)
        let heard: LastWords.End = try await withCheckedThrowingContinuation { done in
            loop.execute {
                client.setHandler(LastWords(done))
                client.startReading()
                // What the peer never reads: its end is a reset.
                client.write([1])
                #expect(send(peer, words, words.count, Int32(MSG_NOSIGNAL)) == 7)
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    peer, SOL_SOCKET, SO_LINGER, &linger,
                    socklen_t(MemoryLayout<Glibc.linger>.size))
                Glibc.close(peer)
                // The kernel may deliver the reset a little later.
                for _ in 0..<10_000 where isConnected(to: port) { usleep(1000) }
                client.write([UInt8](repeating: 0, count: size))
            }
        }
        #expect(heard.bytes == words)
        #expect((heard.error as? LoopError)?.operation.hasPrefix("write to") == true)
        await loop.stop()
    }

    /// Whether a socket of this machine is connected to that IPv4 port, by proc(5).
    private func isConnected(to port: UInt16) -> Bool {
        let hex = String(port, radix: 16, uppercase: true)
        let remote = ":" + String(repeating: "0", count: 4 - hex.count) + hex
        guard let table = fopen("/proc/self/net/tcp", "r") else { return false }
        defer { fclose(table) }
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), table) != nil {
            let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            if fields.count > 3, fields[2].hasSuffix(remote), fields[3] == "01" { return true }
        }
        return false
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
