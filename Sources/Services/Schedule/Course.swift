import Domain
import Environment
import Schema

/// A course as the timetable keeps it.
struct Course: Sendable, Hashable {
    /// When its class schedules occupy instructor and room.
    enum ClaimPolicy: String, Sendable {
        case assign, publish
    }

    let id: UUID
    let code: String
    let title: String
    let description: String
    let maxStudents: Int
    let claimAt: ClaimPolicy
    let timeZone: String
    var locationID: UUID?
    /// The code of the policy it is booked by.
    var policy = "school"
    /// Of one seat, in minor units of `currency`.
    var price: Int64 = 0
    var currency = "IDR"
    var kind = "course"
}

/// Somebody who teaches.
struct Instructor: Sendable, Hashable {
    let id: UUID
    let name: String
}

struct Room: Sendable, Hashable {
    let id: UUID
    let name: String
    let capacity: Int
}

/// A course is named by its UUID or its code. No code is a UUID: it has at most 32 characters.
enum CourseKey: Sendable, Hashable {
    case id(UUID)
    case code(String)

    /// - Throws: COURSE_NOT_FOUND for what can be neither.
    init(_ text: String) throws(DomainError) {
        if let id = UUID(text) {
            self = .id(id)
        } else if CourseRules.isCode(text) {
            self = .code(text)
        } else {
            throw Self.notFound
        }
    }

    static let notFound = DomainError(.courseNotFound, "there is no such course")
}

/// What a new course, instructor or room must look like.
enum CourseRules {
    static let seatLimit = 10_000
    static let codeLimit = 32

    /// - Parameter newID: of a course without one.
    /// - Throws: VALIDATION_FAILED with every violation.
    static func course(
        _ request: ScheduleV1.CreateCourseRequest, defaultTimeZone: String,
        locationTimeZone: String? = nil, otherwise newID: UUID = .timeOrdered()
    ) throws(DomainError) -> Course {
        var rules = FieldRules()
        let id = rules.optionalUUID(request.id, "id")
        if !isCode(request.code) {
            rules.refuse("code", "is not of the form PIANO-101, at most \(codeLimit) characters")
        }
        rules.text(request.title, "title", limit: 200)
        rules.text(request.description, "description", limit: 4000, required: false)
        checkSeats(request.maxStudents, "max_students", &rules)
        let claimAt: Course.ClaimPolicy? =
            switch request.claimAt {
            case .assign, .unspecified: .assign
            case .publish: .publish
            default: nil
            }
        if claimAt == nil { rules.refuse("claim_at", "is not a known policy") }
        let timeZone =
            locationTimeZone ?? (request.timeZone.isEmpty ? defaultTimeZone : request.timeZone)
        if !isTimeZone(timeZone) { rules.refuse("time_zone", "is not an IANA time zone") }
        var course = Course(
            id: id ?? newID, code: request.code, title: request.title,
            description: request.description, maxStudents: Int(request.maxStudents),
            claimAt: claimAt ?? .assign, timeZone: timeZone)
        course.locationID = rules.optionalUUID(request.locationId, "location_id")
        if !request.kind.isEmpty { course.kind = request.kind }
        if !isKind(course.kind) { rules.refuse("kind", "is not a word in lower case") }
        terms(
            &course, policy: request.policy, price: request.price, currency: request.currency,
            &rules)
        try rules.check()
        return course
    }

    /// The course as it will be after the change.
    /// - Throws: VALIDATION_FAILED with every violation.
    static func change(
        _ course: Course, _ request: ScheduleV1.UpdateCourseRequest, timeZone: String?
    ) throws(DomainError) -> Course {
        var rules = FieldRules()
        rules.text(request.title, "title", limit: 200)
        rules.text(request.description, "description", limit: 4000, required: false)
        checkSeats(request.maxStudents, "max_students", &rules)
        var next = Course(
            id: course.id, code: course.code, title: request.title,
            description: request.description, maxStudents: Int(request.maxStudents),
            claimAt: course.claimAt, timeZone: timeZone ?? course.timeZone)
        next.locationID = rules.optionalUUID(request.locationId, "location_id")
        next.kind = course.kind
        terms(
            &next, policy: request.policy, price: request.price, currency: request.currency,
            &rules)
        try rules.check()
        return next
    }

    private static func terms(
        _ course: inout Course, policy: String, price: Int64, currency: String,
        _ rules: inout FieldRules
    ) {
        if !policy.isEmpty { course.policy = policy }
        if !isKind(course.policy) { rules.refuse("policy", "is not a word in lower case") }
        course.price = price
        rules.price(price, "price")
        if !currency.isEmpty { course.currency = currency }
        if !Currency.isCode(course.currency) {
            rules.refuse("currency", "is not a code of ISO 4217")
        }
    }

    static func instructor(
        _ request: ScheduleV1.CreateInstructorRequest, otherwise newID: UUID = .timeOrdered()
    ) throws(DomainError) -> Instructor {
        var rules = FieldRules()
        let id = rules.optionalUUID(request.id, "id")
        rules.text(request.name, "name", limit: 200)
        try rules.check()
        return Instructor(id: id ?? newID, name: request.name)
    }

    static func room(
        _ request: ScheduleV1.CreateRoomRequest, otherwise newID: UUID = .timeOrdered()
    ) throws(DomainError) -> Room {
        var rules = FieldRules()
        let id = rules.optionalUUID(request.id, "id")
        rules.text(request.name, "name", limit: 200)
        checkSeats(request.capacity, "capacity", &rules)
        try rules.check()
        return Room(id: id ?? newID, name: request.name, capacity: Int(request.capacity))
    }

    /// Groups of capitals and digits joined by single hyphens, the first one beginning with a
    /// letter: `PIANO-101`.
    static func isCode(_ text: String) -> Bool {
        guard text.utf8.count <= codeLimit, let first = text.utf8.first,
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
        else { return false }
        return text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty && $0.allSatisfy(isCapitalOrDigit) }
    }

    /// `course`, `treatment_room`.
    static func isKind(_ text: String) -> Bool {
        text.utf8.count <= 32 && text.utf8.first.map(isLower) == true
            && text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    /// `Area/Place` or `UTC`: the shape only; PostgreSQL says whether the zone exists.
    static func isTimeZone(_ text: String) -> Bool {
        if text == "UTC" { return true }
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return text.utf8.count <= 64 && (2...3).contains(parts.count)
            && parts.allSatisfy { part in
                part.first.map(isLetter) == true && part.allSatisfy(isZoneCharacter)
            }
    }

    static func checkSeats(_ seats: Int32, _ field: String, _ rules: inout FieldRules) {
        if !(1...Int32(seatLimit)).contains(seats) {
            rules.refuse(field, "is not between 1 and \(seatLimit)")
        }
    }

    private static func isCapitalOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || isDigit(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLower(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isZoneCharacter(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "_+-".utf8.contains(byte)
    }
}
