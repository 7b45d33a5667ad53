import Protobuf
import Schema
import TestKit
import Testing

/// Every RPC of the contracts that changes something, against the lists of what is tested.
@Suite("Mutations of the contracts")
struct MutationTests {
    private struct Mutation {
        let path: String
        let method: MethodSchema
    }

    private static let mutations = AccessTests.contracts.services
        .filter { $0.fullName.hasPrefix("janji.") }
        .flatMap { service in
            service.methods.filter { $0.idempotency != .noSideEffects }
                .map { Mutation(path: "\(service.fullName)/\($0.name)", method: $0) }
        }

    private static let keyed = Mutations.ofBooking.union(Mutations.ofSchedule)
        .union(Mutations.elsewhere.keys)

    @Test("X-09: each is replayed by a test, or is exempt for a reason; no list is out of date")
    func listed() {
        #expect(Self.mutations.count > 40)
        #expect(
            Set(Self.mutations.map(\.path)) == Self.keyed.union(Mutations.exempt.keys))
        #expect(Self.keyed.isDisjoint(with: Mutations.exempt.keys))
    }

    @Test("X-09: each has an idempotency_key, which the edge fills from Idempotency-Key")
    func fields() {
        for mutation in Self.mutations where Mutations.exempt[mutation.path] == nil {
            let field = mutation.method.input.field(named: "idempotency_key")
            #expect(field?.kind == .string && field?.isRepeated == false, "\(mutation.path)")
        }
    }

    @Test("X-09: a key's scope names the method: no two of one database have the same name")
    func names() {
        for schemas in [["booking", "payment"], ["schedule"]] {
            let names = Self.mutations.filter { mutation in
                schemas.contains { mutation.path.hasPrefix("janji.\($0).") }
            }.map(\.method.name)
            #expect(Set(names).count == names.count)
        }
    }
}
