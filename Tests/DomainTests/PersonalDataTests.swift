import Protobuf
import RPC
import Schema
import Testing

/// one classification of personal data, `(janji.common.v1.personal)`, and where what it marks
/// may be. Walks every contract, so that a new field or RPC is judged too.
@Suite("Personal data in the contracts") struct PersonalDataTests {
    static let contracts = DescriptorPool(linked: SchemaFiles.all.map(\.file))

    static func isPersonal(_ field: FieldSchema) -> Bool {
        field.options.varint(extension: 50011) == 1
    }

    static let messages = SchemaFiles.all.flatMap(\.file.allMessages)
        .filter { $0.fullName.hasPrefix("janji.") }

    /// The personal fields of a message and of all that it holds, as paths.
    static func personal(
        _ message: MessageSchema, _ path: String = "", _ seen: Set<String> = []
    ) -> [String] {
        guard !seen.contains(message.fullName) else { return [] }
        return message.fields.flatMap { field -> [String] in
            let here = path.isEmpty ? field.name : "\(path).\(field.name)"
            if isPersonal(field) { return [here] }
            guard let inner = field.messageType else { return [] }
            return personal(inner, here, seen.union([message.fullName]))
        }
    }

    @Test("what names a person, or lets one in, is marked")
    func marked() {
        let words: Set<String> = [
            "email", "phone", "full_name", "guardian_name", "guardian_wa_number", "birth_date",
            "birth_place", "school", "subject_name", "password", "token", "manage_token",
            "qr_token", "hold_token", "session_id", "holder", "notes",
        ]
        var found: Set<String> = []
        for message in Self.messages {
            for field in message.fields where field.kind == .string && words.contains(field.name) {
                found.insert(field.name)
                #expect(Self.isPersonal(field), "\(field.fullName)")
            }
        }
        #expect(found == words, "the words are those of the contracts")
    }

    @Test("no event and nothing that many see has a place for it")
    func shown() throws {
        let reach = [
            "janji.events.v1.Event", "janji.booking.v1.Booking", "janji.booking.v1.Slot",
            "janji.booking.v1.Offering", "janji.booking.v1.ConflictDetails",
            "janji.booking.v1.FindSlotsResponse", "janji.schedule.v1.Course",
            "janji.notification.v1.SubscribeResponse",
            "janji.booking.v1.GetHistoryByManageTokenResponse",
        ]
        for name in reach {
            let message = try #require(Self.contracts.message(name), "\(name)")
            #expect(Self.personal(message) == [], "\(name)")
        }
    }

    @Test("an RPC for anybody tells it to nobody who has not shown some")
    func proved() {
        var told = 0
        for service in Self.contracts.services where service.fullName.hasPrefix("janji.") {
            for method in service.methods
            where method.options.varint(extension: 50001) == 1 {
                let answers = Self.personal(method.output)
                if answers.isEmpty { continue }
                told += 1
                #expect(
                    !Self.personal(method.input).isEmpty,
                    "\(service.fullName).\(method.name) tells \(answers)")
            }
        }
        #expect(told > 3)
    }
}
