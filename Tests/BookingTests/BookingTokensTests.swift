import Environment
import Testing

@testable import Booking

/// tokens that only this server can make, each for one purpose.
struct BookingTokensTests {
    static let tokens = BookingTokens(secret: Array(repeating: 7, count: 32))
    static let others = BookingTokens(secret: Array(repeating: 8, count: 32))
    static let id = UUID.random()

    @Test("what is made is read back, and is the same whenever it is made")
    func roundTrip() {
        let end = Instant(microseconds: 1_764_633_600_000_000)
        #expect(Self.tokens.booking(managedBy: Self.tokens.manage(Self.id)) == Self.id)
        let read = Self.tokens.booking(checkedInBy: Self.tokens.checkIn(Self.id, until: end))
        #expect(read?.id == Self.id && read?.until == end)
        #expect(Self.tokens.hold(Self.id) == Self.tokens.hold(Self.id))
        #expect(Self.tokens.hold(Self.id) != Self.tokens.hold(.random()))
        #expect(Self.tokens.hold(Self.id) != Self.others.hold(Self.id))
    }

    @Test("every changed character, a cut, a longer one, another key, another purpose: not ours")
    func forged() {
        let manage = Self.tokens.manage(Self.id)
        let qr = Self.tokens.checkIn(Self.id, until: .now())
        for token in [manage, qr] {
            for index in token.indices {
                var changed = token
                changed.replaceSubrange(index...index, with: token[index] == "A" ? "B" : "A")
                guard changed != token else { continue }
                // The last character of 56 bytes carries two bits that mean nothing.
                #expect(Self.tokens.booking(managedBy: changed) == nil)
                if index != token.indices.last {
                    #expect(Self.tokens.booking(checkedInBy: changed) == nil)
                }
            }
            for bad in [String(token.dropLast()), token + "A", "", token + token] {
                #expect(Self.tokens.booking(managedBy: bad) == nil)
                #expect(Self.tokens.booking(checkedInBy: bad) == nil)
            }
        }
        #expect(Self.others.booking(managedBy: manage) == nil)
        #expect(Self.others.booking(checkedInBy: qr) == nil)
        #expect(Self.tokens.booking(managedBy: qr) == nil)
        #expect(Self.tokens.booking(checkedInBy: manage) == nil)
    }
}
