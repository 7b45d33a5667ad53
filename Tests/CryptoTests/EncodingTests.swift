import Crypto
import Testing

@Suite struct EncodingTests {
    @Test(
        "RFC 4648 section 10 vectors",
        arguments: [
            ("", "", "", ""), ("f", "Zg==", "Zg", "66"), ("fo", "Zm8=", "Zm8", "666f"),
            ("foo", "Zm9v", "Zm9v", "666f6f"), ("foob", "Zm9vYg==", "Zm9vYg", "666f6f62"),
            ("fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261"),
            ("foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"),
            ("ûÿ¾", "w7vDv8K+", "w7vDv8K-", "c3bbc3bfc2be"),
        ])
    func vectors(text: String, standard: String, url: String, hex: String) {
        let bytes = Array(text.utf8)
        #expect(Base64.encode(bytes) == standard)
        #expect(Base64.encode(bytes, variant: .url) == url)
        #expect(Hex.encode(bytes) == hex)
        #expect(Base64.decode(standard) == bytes)
        #expect(Base64.decode(url, variant: .url) == bytes)
        #expect(Hex.decode(hex) == bytes)
        #expect(Hex.decode(hex.uppercased()) == bytes)
    }

    @Test(
        "standard base 64 is refused unless it is what we would write",
        arguments: [
            "Zg", "Zg=", "Zg===", "Zg==Zg==", "Z", "Zm8", "Zm9v=", "====", "=", "Zh==", "Zm9=",
            "Zm 9v", "Zm9v\n", "Zm-_", "Zm9v====", "Z===", "Zmé=",
        ])
    func refusesStandard(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(
        "base64url is refused unless it is what we would write",
        arguments: ["Zg==", "Z", "Zh", "Zm9", "Zm+/", "Zm9v ", "Zm8=", "Zm9vY"])
    func refusesURL(text: String) {
        #expect(Base64.decode(text, variant: .url) == nil)
    }

    @Test(
        "hex refuses odd lengths and other characters",
        arguments: ["0", "0g", "0x00", " 00", "00 ", "é"])
    func refusesHex(text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test("random bytes survive every encoding")
    func roundTrip() {
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decode(Base64.encode(bytes, variant: .url), variant: .url) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }
}
