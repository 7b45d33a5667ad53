import RPC

/// The prefix that gRPC-Web and Connect share with gRPC: a byte of flags and four of length, big
/// endian.
enum Envelope {
    static func frame(_ flags: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 5)
        out.append(flags)
        for shift in [24, 16, 8, 0] { out.append(UInt8(truncatingIfNeeded: bytes.count >> shift)) }
        out += bytes
        return out
    }
}

extension RPCError {
    init(_ problem: MessageDeframer.Problem, limit: Int) {
        switch problem {
        case .badFlag(let flag): self = .badFlag(flag)
        case .tooLarge(let count): self = .messageTooLarge(count, limit: limit)
        }
    }
}
