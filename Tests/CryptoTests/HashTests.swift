import Crypto
import Testing

@Suite struct HashTests {
    @Test(
        "FIPS 180-4 and RFC 6234 vectors of SHA-256",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func sha256(message: String, digest: String) {
        #expect(Hex.encode(SHA256.hash(Array(message.utf8))) == digest)
    }

    @Test(
        "RFC 3174 vectors of SHA-1",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ])
    func sha1(message: String, digest: String) {
        #expect(Hex.encode(SHA1.hash(Array(message.utf8))) == digest)
    }

    @Test("RFC 6455 section 1.3: the accept value of the WebSocket handshake")
    func webSocketAccept() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        #expect(Base64.encode(SHA1.hash(Array(key.utf8))) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(
        "RFC 4231 vectors of HMAC-SHA-256",
        arguments: [
            (
                [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xAA, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            ([], [], "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        ])
    func hmac(key: [UInt8], message: [UInt8], digest: String) {
        let signature = HMACSHA256.sign(key: key, message: message)
        #expect(Hex.encode(signature) == digest)
        #expect(HMACSHA256.verify(signature, key: key, message: message))
        #expect(!HMACSHA256.verify(signature, key: key, message: message + [0]))
        #expect(!HMACSHA256.verify(Array(signature.dropLast()), key: key, message: message))
    }

    @Test(
        arguments: [
            ("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false),
            ("abcdefgh", "abcdefgi", false), ("", "a", false),
        ])
    func constantTime(left: String, right: String, isEqual: Bool) {
        #expect(constantTimeEqual(left, right) == isEqual)
        #expect(constantTimeEqual(Array(left.utf8), Array(right.utf8)) == isEqual)
    }
}
