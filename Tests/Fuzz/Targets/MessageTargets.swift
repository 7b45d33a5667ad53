import Compression
import Environment
import RPC
import RPCHTTP2

extension FuzzTarget {
    /// However a body is cut and whenever it is read, the same messages come out of it, none above
    /// the limit.
    static let messageQueue = FuzzTarget("message-queue") { input in
        let seed = input.byte()
        let limit = input.word()
        let whole = unframe([Piece(input.rest)], limit, pattern: 0)
        let parts = unframe(input.pieces(seed), limit, pattern: seed)
        try require(whole == parts, "the cut matters: \(whole.problem) \(parts.problem)")
        try require(whole.messages.allSatisfy { $0.bytes.count <= limit }, "above the limit")
        var framed: [UInt8] = []
        for message in whole.messages {
            framed.append(message.isCompressed ? 1 : 0)
            withUnsafeBytes(of: UInt32(message.bytes.count).bigEndian) { framed += $0 }
            framed += message.bytes
        }
        try require(input.rest.starts(with: framed), "the messages are not what was sent")
        if whole.problem.isEmpty {
            try require(framed.count + whole.partialBytes == input.rest.count, "bytes are missing")
        }
    }

    private struct Unframed: Equatable {
        struct Delivery: Equatable {
            let bytes: [UInt8]
            let isCompressed: Bool
        }

        var messages: [Delivery] = []
        var problem = ""
        var partialBytes = 0

        mutating func take(_ count: Int, from queue: inout MessageQueue) {
            for _ in 0..<count {
                guard let message = queue.popFirst() else { return }
                messages.append(Delivery(bytes: message, isCompressed: queue.lastWasCompressed))
            }
        }
    }

    /// - Parameter pattern: how many messages are taken after each piece, four bits by turns.
    private static func unframe(_ pieces: [Piece], _ limit: Int, pattern: UInt8) -> Unframed {
        var queue = MessageQueue()
        var result = Unframed()
        for (index, piece) in pieces.enumerated() {
            let problem = queue.receive(piece.bytes, limit: limit)
            result.take(Int(pattern >> (index & 1 == 0 ? 4 : 0) & 3), from: &queue)
            guard let problem else { continue }
            result.problem = "\(problem)"
            break
        }
        result.take(.max, from: &queue)
        // Behind a mistake nothing counts, however much of it has come.
        if result.problem.isEmpty { result.partialBytes = queue.partialBytes }
        return result
    }

    /// The limit holds, and what one stream did wrong does not touch the next.
    static let decompression = FuzzTarget("decompression") { input in
        let choice = input.byte()
        let algorithm: CompressionAlgorithm = choice & 1 == 0 ? .gzip : .deflate
        let limit = choice & 2 == 0 ? input.word() : 1 << 20
        let bytes = Array(input.rest)
        if let inflated = try? algorithm.decompress(bytes, limit: limit) {
            try require(inflated.count <= limit, "\(inflated.count) bytes")
            let exact = try must("at exactly the limit") {
                try algorithm.decompress(bytes, limit: inflated.count)
            }
            try require(exact == inflated, "another limit, another answer")
            if !inflated.isEmpty {
                let less = outcome { () throws(CompressionError) in
                    try algorithm.decompress(bytes, limit: inflated.count - 1)
                }
                try require(less.failure?.code == .tooLarge, "one byte above the limit")
            }
        }
        let packed = try must("compressing") { try algorithm.compress(bytes) }
        let again = try must("inflating our own") {
            try algorithm.decompress(packed, limit: bytes.count)
        }
        try require(again == bytes, "compressing and inflating")
    }

    /// What is understood is no shorter after it has been printed: a server never gives up early.
    static let grpcTimeout = FuzzTarget("grpc-timeout") { input in
        guard let timeout = GRPCTimeout.parse(input.rest) else { return }
        let nanoseconds = timeout.nanoseconds
        try require(nanoseconds >= 0, "negative")
        let text = Array(GRPCTimeout.print(nanoseconds: nanoseconds).utf8)
        try require(text.count <= 9, "too long")
        let again = text.withUnsafeBytes { GRPCTimeout.parse($0) }
        guard let again else { throw FuzzFinding(description: "our own is not understood") }
        try require(again.nanoseconds >= nanoseconds, "it became shorter")
        // At most a unit of eight digits is lost, one part in ten million.
        try require(
            again.nanoseconds <= max(1, nanoseconds.addingSaturated(nanoseconds / 1_000_000)),
            "it became much longer")
        let deadline = Deadline.after(timeout)
        try require(deadline.remaining <= timeout, "the deadline is beyond it")
    }

    /// Decoding never fails; what we encode is ASCII and comes back.
    static let statusMessage = FuzzTarget("status-message") { input in
        let text = StatusMessage.decode(input.rest)
        let encoded = StatusMessage.encode(text)
        try require(encoded.allSatisfy { (0x20...0x7e).contains($0) }, "not printable")
        let again = encoded.withUnsafeBytes { StatusMessage.decode($0) }
        try require(again.utf8.elementsEqual(text.utf8), "not the same")
        let raw = String(decoding: input.rest, as: UTF8.self)
        let back = StatusMessage.encode(raw).withUnsafeBytes { StatusMessage.decode($0) }
        try require(back.utf8.elementsEqual(raw.utf8), "a text does not come back")
    }

    /// Binary metadata, and the body of gRPC-Web's text form in any pieces.
    static let base64 = FuzzTarget("base64") { input in
        let seed = input.byte()
        let bytes = Array(input.rest)
        let encoded = MetadataBase64.encode(bytes)
        try require(MetadataBase64.decode(encoded) == bytes, "bytes do not come back")
        if let decoded = MetadataBase64.decode(bytes) {
            let canonical = MetadataBase64.encode(decoded)
            try require(MetadataBase64.decode(canonical) == decoded, "not the same")
        }
        try require(
            streamed([Piece(input.rest)]) == streamed(input.pieces(seed)), "the cut matters")
        let body = Base64Stream.encode(bytes).withUnsafeBytes { streamed(Piece.cut($0, seed)) }
        try require(body == bytes, "a body does not come back")
    }

    /// Nil when the body is refused or ends inside a group.
    private static func streamed(_ pieces: [Piece]) -> [UInt8]? {
        var stream = Base64Stream()
        var out: [UInt8] = []
        for piece in pieces {
            guard stream.decode(piece.bytes, into: &out) else { return nil }
        }
        return stream.isBetweenGroups ? out : nil
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}

extension Int64 {
    fileprivate func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
