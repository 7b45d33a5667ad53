import Crypto
import Testing

@Suite struct ScryptTests {
    @Test("RFC 7914 section 12, first vector")
    func empty() throws {
        let key = try Scrypt.derive(
            password: [], salt: [], parameters: .init(cost: 16, blockSize: 1, parallelism: 1),
            count: 64)
        #expect(
            Hex.encode(key)
                == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")
    }

    @Test("RFC 7914 section 12, second vector")
    func password() throws {
        let key = try Scrypt.derive(
            password: Array("password".utf8), salt: Array("NaCl".utf8),
            parameters: .init(cost: 1024, blockSize: 8, parallelism: 16), count: 64)
        #expect(
            Hex.encode(key)
                == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")
    }

    @Test("the default cost fits in the memory that libcrypto is given")
    func defaults() throws {
        #expect(try Scrypt.derive(password: [1], salt: [2]).count == 32)
    }

    @Test(
        "parameters from outside cannot take the machine down",
        arguments: [
            (0, 8, 1, 32), (1, 8, 1, 32), (1000, 8, 1, 32), (-16, 8, 1, 32), (1 << 62, 8, 1, 32),
            (1 << 20, 8, 1, 32), (16, 0, 1, 32), (16, -1, 1, 32), (16, 8, 0, 32),
            (16, .max, .max, 32), (16, 8, 1, 0), (16, 8, 1, -1), (16, 8, 1, .max),
        ])
    func refuses(cost: Int, blockSize: Int, parallelism: Int, count: Int) throws {
        let error = try #require(throws: CryptoError.self) {
            try Scrypt.derive(
                password: [], salt: [],
                parameters: .init(cost: cost, blockSize: blockSize, parallelism: parallelism),
                count: count)
        }
        #expect(error.code == .invalidParameters)
        #expect(error.blame == .caller)
    }
}
