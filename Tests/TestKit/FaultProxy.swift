import Foundation
import Glibc
import Synchronization

/// A loopback TCP relay in front of PostgreSQL that can lose a connection at the moment that
/// matters: when a COMMIT is on its way. Two blocking threads for each connection.
public final class FaultProxy: Sendable {
    /// What becomes of a transaction's last message and of its answer.
    public enum Fate: Sendable, Hashable, CaseIterable {
        /// Nothing is lost.
        case pass
        /// The server never gets it.
        case lostRequest
        /// The server gets it; both sides are cut off at once, while it works.
        case cutBehind
        /// The server has done it; the answer is lost.
        case lostAnswer
    }

    public let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private let isCommit: @Sendable (String) -> Bool
    private let fate: @Sendable () -> Fate
    private let counts = Mutex<[Fate: Int]>([:])
    private let open = Mutex<Set<Int32>>([])
    private let isStopped = Mutex(false)

    /// - Parameters:
    ///   - isCommit: whether a statement of this text ends a transaction.
    ///   - fate: asked for every one; called on threads of the proxy.
    public init(
        to target: UInt16, isCommit: @escaping @Sendable (String) -> Bool = { $0 == "commit" },
        fate: @escaping @Sendable () -> Fate
    ) throws {
        self.target = target
        self.isCommit = isCommit
        self.fate = fate
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                var code = bind(listener, raw, length)
                if code == 0 { code = listen(listener, 128) }
                return code == 0 ? getsockname(listener, raw, &length) : code
            }
        }
        guard code == 0 else {
            throw PostgresProcessError(command: "listen 127.0.0.1", status: errno, output: "")
        }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in accepting() }
    }

    /// How often a fate befell a COMMIT.
    public func seen(_ fate: Fate) -> Int { counts.withLock { $0[fate] ?? 0 } }

    /// COMMITs that the client sent and whose answer it never got.
    public var ambiguous: Int { seen(.lostRequest) + seen(.cutBehind) + seen(.lostAnswer) }

    public func stop() {
        isStopped.withLock { $0 = true }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for descriptor in open.withLock({ $0 }) { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    // MARK: Threads

    private func accepting() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.loopback(target)
            let code = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard code == 0, !isStopped.withLock({ $0 }) else {
                close(client)
                close(server)
                continue
            }
            for descriptor in [client, server] {
                var on: Int32 = 1
                setsockopt(
                    descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on,
                    socklen_t(MemoryLayout<Int32>.size))
            }
            let pair = Pair(client: client, server: server)
            open.withLock { $0.formUnion([client, server]) }
            Thread.detachNewThread { [self] in
                requests(pair)
                end(pair)
            }
            Thread.detachNewThread { [self] in
                answers(pair)
                end(pair)
            }
        }
    }

    /// Two sockets; the second thread that is done with them closes them.
    private final class Pair: Sendable {
        let client: Int32
        let server: Int32
        let isDeaf = Atomic<Bool>(false)
        let threads = Atomic<Int>(2)

        init(client: Int32, server: Int32) {
            self.client = client
            self.server = server
        }

        func cut() {
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(server, Int32(SHUT_RDWR))
        }
    }

    private func end(_ pair: Pair) {
        pair.cut()
        guard pair.threads.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 else {
            return
        }
        open.withLock { $0.subtract([pair.client, pair.server]) }
        close(pair.client)
        close(pair.server)
    }

    private func requests(_ pair: Pair) {
        var reader = FrontendReader(isCommit: isCommit)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(pair.client, &buffer, buffer.count)
            guard count > 0 else { return }
            for batch in reader.take(buffer[..<count]) {
                guard batch.commits else {
                    guard Self.write(batch.bytes, to: pair.server) else { return }
                    continue
                }
                let fate = fate()
                counts.withLock { $0[fate, default: 0] += 1 }
                switch fate {
                case .pass: guard Self.write(batch.bytes, to: pair.server) else { return }
                case .lostRequest: return
                case .cutBehind:
                    pair.isDeaf.store(true, ordering: .sequentiallyConsistent)
                    _ = Self.write(batch.bytes, to: pair.server)
                    return
                case .lostAnswer:
                    pair.isDeaf.store(true, ordering: .sequentiallyConsistent)
                    guard Self.write(batch.bytes, to: pair.server) else { return }
                }
            }
        }
    }

    private func answers(_ pair: Pair) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(pair.server, &buffer, buffer.count)
            // Deaf: the answer is here, so the server has done its work.
            guard count > 0, !pair.isDeaf.load(ordering: .sequentiallyConsistent),
                Self.write(Array(buffer[..<count]), to: pair.client)
            else { return }
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        return address
    }
}

/// Reads PostgreSQL's frontend messages: what of a stream goes on together, up to each Sync or
/// simple query, and whether it ends a transaction.
struct FrontendReader {
    struct Batch {
        var bytes: [UInt8]
        var commits: Bool
    }

    let isCommit: (String) -> Bool
    private var bytes: [UInt8] = []
    private var pending: [UInt8] = []
    private var commits = false
    private var hasStarted = false
    private var statements: [String: Bool] = [:]

    init(isCommit: @escaping (String) -> Bool) { self.isCommit = isCommit }

    mutating func take(_ more: ArraySlice<UInt8>) -> [Batch] {
        bytes += more
        var batches: [Batch] = []
        while let message = next() {
            pending += message
            guard hasStarted else {
                // Start-up packets have no type; a request for TLS is not yet the start.
                let code = Self.number(message[4...])
                hasStarted = code != 80_877_103 && code != 80_877_104
                flush(&batches)
                continue
            }
            look(at: message)
            if [
                UInt8(ascii: "S"), UInt8(ascii: "Q"), UInt8(ascii: "H"), UInt8(ascii: "X"),
                UInt8(ascii: "p"),
            ].contains(message[0]) {
                flush(&batches)
            }
        }
        return batches
    }

    private mutating func flush(_ batches: inout [Batch]) {
        batches.append(Batch(bytes: pending, commits: commits))
        pending = []
        commits = false
    }

    private mutating func next() -> [UInt8]? {
        let header = hasStarted ? 1 : 0
        guard bytes.count >= header + 4 else { return nil }
        let length = header + Self.number(bytes[header...])
        guard bytes.count >= length else { return nil }
        defer { bytes.removeFirst(length) }
        return Array(bytes[..<length])
    }

    private mutating func look(at message: [UInt8]) {
        switch message[0] {
        case UInt8(ascii: "P"):
            let (name, rest) = Self.text(message[5...])
            statements[name] = isCommit(Self.text(rest).0)
        case UInt8(ascii: "B"):
            let (_, rest) = Self.text(message[5...])
            if statements[Self.text(rest).0] == true { commits = true }
        case UInt8(ascii: "Q"):
            if isCommit(Self.text(message[5...]).0) { commits = true }
        default: break
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> (String, ArraySlice<UInt8>) {
        let end = bytes.firstIndex(of: 0) ?? bytes.endIndex
        return (
            String(decoding: bytes[..<end], as: UTF8.self),
            bytes[min(end + 1, bytes.endIndex)...]
        )
    }
}
