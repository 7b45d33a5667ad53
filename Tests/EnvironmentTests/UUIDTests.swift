import Environment
import Testing

@Suite struct UUIDTests {
    @Test("text in either case becomes bytes, and lower-case text again")
    func parses() throws {
        let text = "0123ABCD-4567-89ab-CDEF-fedcba987654"
        let uuid = try #require(UUID(text))
        #expect(uuid.bytes == (0x0123_ABCD_4567_89AB, 0xCDEF_FEDC_BA98_7654))
        #expect(uuid.description == "0123abcd-4567-89ab-cdef-fedcba987654")
        #expect(UUID(bytes: uuid.bytes) == uuid)
    }

    @Test(
        "anything but 8-4-4-4-12 is refused",
        arguments: [
            "", "0123abcd456789abcdeffedcba987654", "{0123abcd-4567-89ab-cdef-fedcba987654}",
            "0123abcd-4567-89ab-cdef-fedcba98765", "0123abcd-4567-89ab-cdef-fedcba9876543",
            "0123abcd-4567-89ab-cdeffedcba987654-", "0123abcg-4567-89ab-cdef-fedcba987654",
            "0123abcd 4567 89ab cdef fedcba987654", "0123abcd-4567-89ab-cdef-fedcba98765é",
            "0123abcd-456-789ab-cdef-fedcba987654", " 123abcd-4567-89ab-cdef-fedcba987654",
        ])
    func refuses(text: String) {
        #expect(UUID(text) == nil)
    }

    @Test("RFC 9562 section 5.4: version 4 with the variant bits, never twice")
    func random() {
        let many = (0..<1000).map { _ in UUID.random() }
        #expect(Set(many).count == many.count)
        for uuid in many {
            #expect(uuid.version == 4)
            #expect(uuid.bytes.1 >> 62 == 0b10)
            #expect(UUID(uuid.description) == uuid)
        }
    }

    @Test("RFC 9562 section 5.7: version 7 carries the milliseconds and sorts by them")
    func timeOrdered() throws {
        let instant = try #require(Instant(rfc3339: "2022-02-22T19:22:22Z"))
        let uuid = UUID.timeOrdered(instant)
        // The example of RFC 9562 appendix A.6.
        #expect(uuid.description.hasPrefix("017f22e2-79b0-7"))
        #expect(uuid.version == 7)
        #expect(uuid.bytes.1 >> 62 == 0b10)
        #expect(uuid < UUID.timeOrdered(instant + .milliseconds(1)))
        #expect(uuid != UUID.timeOrdered(instant))
        #expect(UUID.timeOrdered(Instant(microseconds: -5)).bytes.0 >> 16 == 0)
    }

    @Test("bytes order like text")
    func order() throws {
        let low = try #require(UUID("00000000-0000-0000-ffff-ffffffffffff"))
        let high = try #require(UUID("00000000-0000-0001-0000-000000000000"))
        #expect(low < high)
        #expect(low.description < high.description)
    }
}
