import Testing

@testable import Compression

private let compressing: [CompressionAlgorithm] = [.gzip, .deflate]

private func numbers(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
}

private func failure(_ body: () throws(CompressionError) -> [UInt8]) -> CompressionError.Code? {
    do throws(CompressionError) {
        _ = try body()
        return nil
    } catch {
        return error.code
    }
}

@Suite("Compression of messages")
struct CompressionTests {
    @Test(
        "what was compressed comes back", arguments: compressing,
        [0, 1, 1000, 32 << 10, (32 << 10) + 1, 1_000_000])
    func roundTrip(algorithm: CompressionAlgorithm, count: Int) throws {
        let bytes = numbers(count)
        let small = try algorithm.compress(bytes)
        #expect(try algorithm.decompress(small, limit: count) == bytes)
        if count >= 1000 { #expect(small.count < count) }
    }

    @Test("gzip as gzip writes it")
    func foreignGzip() throws {
        // printf 'janji' | gzip -n
        let bytes: [UInt8] = [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x4a, 0xcc, 0xcb, 0xca, 4, 0, 0xfd, 0x4d,
            0x08, 0x37, 5, 0, 0, 0,
        ]
        let checksum = try CompressionAlgorithm.gzip.compress(Array("janji".utf8)).suffix(8)
        let real = bytes.dropLast(8) + checksum
        #expect(
            try CompressionAlgorithm.gzip.decompress(Array(real), limit: 5)
                == Array("janji".utf8))
        // The checksum above is wrong on purpose.
        #expect(
            failure { () throws(CompressionError) in
                try CompressionAlgorithm.gzip.decompress(bytes, limit: 5)
            } == .corrupt)
    }

    @Test("the limit holds for the inflated size, to the byte", arguments: compressing)
    func limit(algorithm: CompressionAlgorithm) throws {
        let bomb = try algorithm.compress([UInt8](repeating: 0, count: 8 << 20))
        #expect(bomb.count < 16 << 10)
        for limit in [0, 1, 4 << 20, (8 << 20) - 1] {
            #expect(
                failure { () throws(CompressionError) in
                    try algorithm.decompress(bomb, limit: limit)
                } == .tooLarge)
        }
        #expect(try algorithm.decompress(bomb, limit: 8 << 20).count == 8 << 20)
    }

    @Test("nothing but one whole stream is taken", arguments: compressing)
    func malformed(algorithm: CompressionAlgorithm) throws {
        let good = try algorithm.compress(numbers(1000))
        var flipped = good
        flipped[flipped.count - 2] ^= 1
        let cases: [([UInt8], CompressionError.Code)] = [
            ([], .truncated), (Array(good.dropLast()), .truncated),
            (Array(good.prefix(9)), .truncated), (good + [0], .trailingBytes),
            (good + good, .trailingBytes), (numbers(100), .corrupt), (flipped, .corrupt),
        ]
        for (input, code) in cases {
            #expect(
                failure { () throws(CompressionError) in
                    try algorithm.decompress(input, limit: 4096)
                } == code)
        }
        #expect(try algorithm.decompress(good, limit: 4096) == numbers(1000))
    }

    @Test("a raw deflate stream is not HTTP's deflate")
    func rawDeflate() throws {
        let zlib = try CompressionAlgorithm.deflate.compress(numbers(500))
        let raw = Array(zlib.dropFirst(2).dropLast(4))
        #expect(
            failure { () throws(CompressionError) in
                try CompressionAlgorithm.deflate.decompress(raw, limit: 4096)
            } == .corrupt)
    }

    @Test(
        "lists of accepted encodings",
        arguments: [
            ("gzip", "gzip"), ("identity, deflate, gzip", "gzip,deflate"), ("", ""),
            ("identity", ""), ("br,zstd", ""), ("GZip ;q=0.5, deflate;q=0", "gzip"),
            ("gzip;q=0.0", ""), (",,gzip,", "gzip"), ("gzipped", ""),
        ])
    func lists(text: String, list: String) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBytes { CompressionAlgorithms(list: $0) }.list == list)
    }
}
