import Crypto
import Postgres
import Testing

@testable import Booking

@Suite("Migrations") struct MigrationTests {
    /// SHA-256 of each, as databases have kept it. A text that differs is refused by every database
    /// that has applied it: what was wrong is mended by a new migration.
    static let applied = [
        1: "a401cb4d0ba106787bbb9f9328c520fa994eaacb3b3823c5d824c9496f1cda91",
        2: "841de5058c7d14e84e92ee3658e9c1872547238d656af4a15459d6aa48f83300",
        3: "df6025428dfffbacd2226960c7a9371a47db1b085f1b0b460ba2f8609c127539",
        4: "843e238e7e700b4e174ca52ed06b4b59621b3825b25ab115ad38c37acd22dc3e",
        5: "56a6a4ee5f38a184705e0acbf9201f681f3a608ab32f9a3ace71086bbe4a7ee3",
        6: "924878849096059caed3095efdbb2c9ab5a51ed1737dcef48e41b50d01ccf48b",
        7: "c9baca1c7fc69dfe76b2128477125c4284bc983a7143431b677247c18eb4fbd0",
        8: "8dde3313954b3a5e049a894049339e1b5e05efb5d2c798a8a5827c9150e1c84d",
        9: "7410648275e424d524d065f51521e2dff2bbfe84374f751b0f924d1725bcfcf1",
        10: "8ae46a7d15883621837cfa502f01d9c7c6334c96fb3914d170d1ec4f37b20296",
        11: "82be4853cef559a2e6798195f31efb36f0d5cc176feb83aaabf2c66bfa15a0b2",
        12: "93035e3ae887d50e6196ea5d4cac75eddee4aab09ff247cc6e375ed337195bb3",
        13: "1e1fb1f2e33ad60a06f4fe39cb360cfd21350cccb027ebe368bdde6d740adf7b",
        16: "f7f40d080e64c77258440ce638a5582723ece39bd9578c5a697389962402b0e8",
        17: "7afcc9400409c7324f217474727f42b9ea1d8f594178565e11f086fe1b2e307a",
        18: "7e8d410d16ad70c01b611f6a025bdaf9704dad1d915bc68a189b2f5f648ccab8",
        19: "06ac3063c3f532ead8c78113947bcc809ab15881f15373c19c5f03909d8b79d4",
        20: "f9010c2c22d0e05a9a813db07d97e21e21f89b6f4ea81b8aa65bbc22a7a909fa",
        21: "a9b69a23ec7caf77a0760488fa96aa999f17036388634ce67e84782d440f56f9",
        23: "5362f9f76c79fc1dc518b07d3c92b219e8a4d1af22545db026ec96b4058be2cc",
        25: "fca5ad4b5078a05c630d69ea41d4e0184b1a699211b22146dd7e736c5e16bc8e",
        27: "1695e47c22ce14bd6b3c190aa7bbf434211cd909d67ab630d1452fded40e27fb",
        28: "55428a3e23d41b57a9f19f550750858be82cb359540a6e2d6d42d229e9a32d67",
    ]

    @Test(
        "what has been applied somewhere never changes",
        arguments: applied.sorted { $0.key < $1.key })
    func unchanged(_ version: Int, _ digest: String) throws {
        let migration = try #require(BookingMigrations.all.first { $0.version == version })
        #expect(Hex.encode(SHA256.hash(Array(migration.sql.utf8))) == digest)
    }
}
