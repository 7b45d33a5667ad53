/// The bytes of one run: the first few choose how, the rest are what the peer sent.
struct FuzzInput {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    /// The next choice; zero when there is nothing left.
    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    mutating func word() -> Int {
        Int(byte()) << 8 | Int(byte())
    }

    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let taken = rest.prefix(count)
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken.count))
        return UnsafeRawBufferPointer(rebasing: taken)
    }

    /// The rest, cut as the seed says.
    func pieces(_ seed: UInt8) -> [Piece] {
        Piece.cut(rest, seed)
    }
}

/// Bytes in an allocation of exactly their size, so that the address sanitizer sees every access
/// beyond them.
final class Piece {
    let bytes: UnsafeRawBufferPointer

    init(_ source: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 1)
        copy.copyMemory(from: source)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit {
        bytes.deallocate()
    }

    /// Seed zero cuts after every byte; the others into pieces of changing sizes.
    static func cut(_ bytes: UnsafeRawBufferPointer, _ seed: UInt8) -> [Piece] {
        var pieces: [Piece] = []
        var rest = bytes[...]
        var state = UInt32(seed)
        while !rest.isEmpty {
            state = state &* 1_664_525 &+ (seed == 0 ? 0 : 1_013_904_223)
            // Mostly a few bytes; sometimes many.
            let size = state >> 28 == 15 ? Int(state >> 16 & 1023) : Int(state >> 24 & 15)
            let part = rest.prefix(size + 1)
            rest = rest.dropFirst(part.count)
            pieces.append(Piece(UnsafeRawBufferPointer(rebasing: part)))
        }
        return pieces
    }
}
