#pragma once
/*
 * Keys and tokens of an issuer that exists only here: made once, with another implementation of JWS
 * than the one under test (Python's cryptography); the private keys are gone. Unless the name says
 * otherwise a token is signed with ES256 and names alice@example.test, for the audience "mail" of
 * https://login.example.test, from 2023 to 2099.
 */

/* Keys rsa, rs256 (only for that algorithm), ec, ec384, ec521, ed; and behind them eleven that must
 * not be used: too small, not on the curve, for encryption, secret, malformed. */
#define JWT_KEYS                                                                                   \
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"21SDdOXL2PBpjZpEqN2rZS9dLXSl-plYrj5q7l1EITNn2zqK5Hdn"     \
    "aawvP7y_e-Xf2FnRaQI42xnEHgIPWUDknJuNenMLJvY9JexXtgqJqW2nCHmGufvX1NuVe56_ClUziSacn-DKZqLr"     \
    "66EFKIETrb1XQcDLnt9zqrZTSeRBJhoyF6dOTSKtsUavR2blPdqil0zAVy63Ga95dO8KNTrzLwE3MCeZ-SJp2PYK"     \
    "Zn19o2w18_alYnfZ3jW327IJuGE2SDXmdtLGZjHfAbGypfCRimPrDs1AtAskW787ba1n5aoRyJJ2lyzYjV7fCRoI"     \
    "Fqf6V-7nLttyzakOX-jqmEWiCw\",\"e\":\"AQAB\",\"kid\":\"rsa\",\"use\":\"sig\"},{\"kty\":\""     \
    "RSA\",\"n\":\"rudTZKoRusL6LBrf5kqoORvg6rE-Cw48agtqdV8Gz5tknTqy2KPy6Les5FbmxVeOSqv6qNbdfb"     \
    "65qQXOhcGvR86LrAeptQ45VVfYkbi7GQJe_qZklaVfavx_FHmpeDNlNgB3883HY26f3DS-owOTmJ0WvvQLC1JSCw"     \
    "uDCQJVnXHncQVzWtyZXUwKhZ6wevcuSrOhNMvWujiBmic3rq6NDGz2fhp0iqSuhO8N96cO70B0XtKqvDdIIvCMRc"     \
    "htJWKwfI18glkn9LqIlGPmnj03uLrL3thsxclRJmfFyOfxAROEcIO5VLNgGpD9PRAupSDuwapWre3Ikir-K9TMC9"     \
    "aXbQ\",\"e\":\"AQAB\",\"kid\":\"rs256\",\"alg\":\"RS256\",\"key_ops\":[\"verify\"]},{\"k"     \
    "ty\":\"EC\",\"crv\":\"P-256\",\"x\":\"zNA6tw21sfPmcxohe1mGMzNODErgOKTJPtyakTQzZHs\",\"y"      \
    "\":\"57UToCQxREBGk_VE5Wr1SIG9gqxY4ZD7AtWQemCLqio\",\"kid\":\"ec\"},{\"kty\":\"EC\",\"crv"     \
    "\":\"P-384\",\"x\":\"uG1N6R3tSFQoQHEpxlPvCxLCGUk2-D3iflUk4LhRdUewB53vIymPbKUMgqWFM74K\","     \
    "\"y\":\"6A5xYXWCI1-xabW4QSkSBqyrZY62U6xxP1Xo5r8pBpvtA4DVZnWXXg24sSbof2Go\",\"kid\":\"ec3"     \
    "84\"},{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"ARHmEZB-ghu0o8Q7MAyovZP8l4AO_yN7d_iC084N"     \
    "E7CMp0UBVbiDtf2ndoI0VMXCJeckXS_u3gPNS4TUEDq_mZ0n\",\"y\":\"AFqCSuuP-03Mr9XNGPsdzr6FpdFYB"     \
    "rQDJqyOFk35WKW4bv4r2WmtKPixA8yKlZzNa_pGFshaXTUWviXf00ErDSYW\",\"kid\":\"ec521\"},{\"kty"      \
    "\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"ASUiiVYXhApCLGPBKbnvEFBv4r9KmrJOHTxQNvRNwVo\",\"k"     \
    "id\":\"ed\"},{\"kty\":\"RSA\",\"n\":\"z9povaBkoAHOMXSqta6mlFnZ8PQEypDtHuuy9AJG8ccvXDvcA9"     \
    "XQEUKQbE22hjWjvF0DP2I3NVSUH0d71UKB7iaSGFFEZScmWmRKxoFwpMV7YdABzKQzOEnZ_Mvfroz5jbjUBmGQpH"     \
    "BNYtZNsoFSwon7d0qrx4rUAD_kflEXWGc\",\"e\":\"AQAB\",\"kid\":\"weak\"},{\"kty\":\"EC\",\"c"     \
    "rv\":\"P-256\",\"x\":\"zNA6tw21sfPmcxohe1mGMzNODErgOKTJPtyakTQzZHs\",\"y\":\"zNA6tw21sfP"     \
    "mcxohe1mGMzNODErgOKTJPtyakTQzZHs\",\"kid\":\"off\"},{\"kty\":\"RSA\",\"n\":\"21SDdOXL2PB"     \
    "pjZpEqN2rZS9dLXSl-plYrj5q7l1EITNn2zqK5HdnaawvP7y_e-Xf2FnRaQI42xnEHgIPWUDknJuNenMLJvY9Jex"     \
    "XtgqJqW2nCHmGufvX1NuVe56_ClUziSacn-DKZqLr66EFKIETrb1XQcDLnt9zqrZTSeRBJhoyF6dOTSKtsUavR2b"     \
    "lPdqil0zAVy63Ga95dO8KNTrzLwE3MCeZ-SJp2PYKZn19o2w18_alYnfZ3jW327IJuGE2SDXmdtLGZjHfAbGypfC"     \
    "RimPrDs1AtAskW787ba1n5aoRyJJ2lyzYjV7fCRoIFqf6V-7nLttyzakOX-jqmEWiCw\",\"e\":\"AQAB\",\"k"     \
    "id\":\"enc\",\"use\":\"enc\"},{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"oct\"},{\"kt"     \
    "y\":\"RSA\",\"kid\":\"noe\",\"n\":\"AQAB\"},{\"kty\":\"new\",\"kid\":\"new\"},{\"kty\":"      \
    "\"EC\",\"crv\":\"P-384\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAMzQOrcNtbHz5nMaIXtZhjMzTgxK4DikyT7"     \
    "cmpE0M2R7\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAOe1E6AkMURARpP1ROVq9UiBvYKsWOGQ-wLVkHpgi6oq\","      \
    "\"kid\":\"short\"},{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"zNA6tw21sfPmcxohe1mGMzN"     \
    "ODErgOKTJPtyakTQzZHs\",\"y\":\"57UToCQxREBGk_VE5Wr1SIG9gqxY4ZD7AtWQemCLqio\",\"kid\":\"k"     \
    "oblitz\"},\"text\",{\"kty\":\"RSA\",\"n\":\"21SDdOXL2PBpjZpEqN2rZS9dLXSl-plYrj5q7l1EITNn"     \
    "2zqK5HdnaawvP7y_e-Xf2FnRaQI42xnEHgIPWUDknJuNenMLJvY9JexXtgqJqW2nCHmGufvX1NuVe56_ClUziSac"     \
    "n-DKZqLr66EFKIETrb1XQcDLnt9zqrZTSeRBJhoyF6dOTSKtsUavR2blPdqil0zAVy63Ga95dO8KNTrzLwE3MCeZ"     \
    "-SJp2PYKZn19o2w18_alYnfZ3jW327IJuGE2SDXmdtLGZjHfAbGypfCRimPrDs1AtAskW787ba1n5aoRyJJ2lyzY"     \
    "jV7fCRoIFqf6V-7nLttyzakOX-jqmEWiCw\",\"e\":\"AQ\",\"kid\":\"e1\"},{\"kty\":\"RSA\",\"n\""     \
    ":\"21SDdOXL2PBpjZpEqN2rZS9dLXSl-plYrj5q7l1EITNn2zqK5HdnaawvP7y_e-Xf2FnRaQI42xnEHgIPWUDkn"     \
    "JuNenMLJvY9JexXtgqJqW2nCHmGufvX1NuVe56_ClUziSacn-DKZqLr66EFKIETrb1XQcDLnt9zqrZTSeRBJhoyF"     \
    "6dOTSKtsUavR2blPdqil0zAVy63Ga95dO8KNTrzLwE3MCeZ-SJp2PYKZn19o2w18_alYnfZ3jW327IJuGE2SDXmd"     \
    "tLGZjHfAbGypfCRimPrDs1AtAskW787ba1n5aoRyJJ2lyzYjV7fCRoIFqf6V-7nLttyzakOX-jqmEWiCw\",\"e"      \
    "\":\"AQAAAAAAAAAB\",\"kid\":\"hugee\"}]}"
/* The one key of the issuer later on: next. */
#define JWT_KEYS_NEXT                                                                              \
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"SaFDpR8YdLNQ2jhtlcK9-98yvHcoroBHlDr"     \
    "f2QaGJcA\",\"y\":\"0ajoi90b_ZzdlNINt5JdHdze6N0AY4VaAvJSisTJU8w\",\"kid\":\"next\"}]}"

#define JWT_RS256                                                                                  \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.sWwh74bMpXfosJOv8-ipEXJcqSrRcTWOaNhh-UN3PM2OPwQeJUkeeFJtxNi5KaQZ"     \
    "ytCW_WjewC1lbzm6T-gYGCrnZGJm7rULzQTq82MXWgUyNyaY6hkIm_lRgsV8HNULaK1gO1oP7kAxQVcUvXIWTp_a"     \
    "1WOGHbFu5I4ssk1Ze2UUmo_UkavnAb9rsJLf6qXhCJPkJ8yLc1df3HH6d198uSwyyA2bJcJfshS-t5qdiMD9_7KS"     \
    "e36PLQe0_3Q4ocDGLFzyCx2mfxP6HHoLhY-hqR-mY7GBIPdddiJO1CM2O368fMxlSKxvMN5p6NSFOHmt0of-4A2r"     \
    "jdDHgByYSHHrtw"
#define JWT_RS384                                                                                  \
    "eyJhbGciOiJSUzM4NCIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.U5-5q0emKOBeP-_1-DWKVZFgQPZuXAwkxAQql0deLr8Bb0IYrARIlXaNnGHvTksG"     \
    "71TxsuNutStNzw8Lcw2RIzvXxU9EyTdp9AjE1k02_aw756gAn9gtthGxhUCfaviuirs6QQ_2BGiyB2_FsGSH8xu2"     \
    "zvB9cM3wjiLDr20z_GcpBsqEagQ4hp5t2uL5QFwmtTa7FD7oN7zG1ChGgvvxsgtvacjiXKn3WEiEAqLBGjYpgBEl"     \
    "J8lTYDuSasBrNIPvQMHF9JBzQWJHcwhaH-XpiL6XoI7CfjgbVi8HQ1NPeUC4Oio-rxv6uLBxVCbWky3V3gz0vyia"     \
    "DY5Bi4DcUlTZ9w"
#define JWT_RS512                                                                                  \
    "eyJhbGciOiJSUzUxMiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.ebshEsAZvIV3CdSeeb9JeDBZ5YSNOdEY0VP2KnuYyuASaG5tY1XHnE8bLyRlN7PY"     \
    "3aZVDZWyPkbvUwRp3ZvIhN27dBKdkLIipFQnjw51KZjkDgUA_7YjEycU71WuD5iLg3uXDzRuxBIRx1U2df-FSVfO"     \
    "MhHSvdH7DZ3CaxK3t3v9Qpn6dOHM3aA5fIvuC6NAX-bJiOPexIBj5FVvjTvrVM_hEjeQDOfqDej6u5OHmr_PQZVL"     \
    "crzueHUjNiBrt-Rj9f0O5hO7eP-sMk4m__jurH9Kcj6WlC4vKokVzUqyepGY70FFqBp8DgPKaWQU9AGYfvAQUY87"     \
    "QNSqrEeg5UyOJQ"
#define JWT_PS256                                                                                  \
    "eyJhbGciOiJQUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.MI64qnsTIJ_GBmdUrjdrIab3-3XUhuFIznO_3l4Bm2JsYLgU7Y97u8EtbfbjYrvN"     \
    "p0gZ6-wipwsjNuRQYzdG2OIkQAcsHqlljBtIcpCGatACJ2rPzcF9l0oGVekWOmgeo2xneAEiSqMqxAbEMCMZ6hEi"     \
    "PJXJh1-YEo13CstP0Kt6vqyUmelcNtef0C1gji329IwJyeE8I2s0y210r3HAsMpxkmCkM68EvUogr_6PO3yDQlBu"     \
    "aVqssqRp2heM_UII7ycKgz2HvqGeLl6ypjVqJCx2YWP5EsM_S9-siuMIxT2a0yjzU9xkHLF7y-XUqCPuPliREKl7"     \
    "gY3WcHL3HsgtUw"
#define JWT_PS384                                                                                  \
    "eyJhbGciOiJQUzM4NCIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.naW4MmNFrBhTiBKfDXtE8qBRDjmrBTFpDxHAQ9RshUi3pKDcKJ6W8IPi5tfm4BaL"     \
    "7uYeodDWsshPDT4ffWLfXrnUMbm4vn0LolDvnLfzVTF5Z4i0VYGHbqDa5B8M9hW7pVfj0u7QQw8lWMQls3Kb3NT3"     \
    "3xnx9l5s7yaDlOBesWGOBPrMltQMkE1SfV8hTdIJsPwEX-Bi22qVyWd8v2LKd63ofZTfSWR181HR9GXXHl8_Z1TR"     \
    "IUBjDnAjiXP3_mg1-VH1riHE759kvnQ9yNumSNw-4O_WcXpHE8roTXXIhkHLmD3C0xkao4fFWgv7NW62wcGB6lps"     \
    "Xp4LWKPDsHPpHw"
#define JWT_PS512                                                                                  \
    "eyJhbGciOiJQUzUxMiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.NLpanNY53f190Qb5mWDzLwtUFl9NN8Y6MYoqdt6D0FgLucDGdEA-LFsqU9HuZKZ1"     \
    "MwieMmY2uLtd8sRWR8fjp3GVw5sHUONc9rDlwDPV67Y7uRL1st1q9jnkaCRuxJkpjnQ962kS6AOPl3qdrHCFBYvw"     \
    "z0i6BD8qV21Rdb6oOldh5NOnhMXs0ajbccBhKSHQkK8ADr5Ox6GQCPArVf51sK0mmI_gX2fQ7vSy4NjfutQR428-"     \
    "SATfsLtDixKOGN3NPo8MpkEuqjd_s3PFJdonJIXxeBFcxve9Gm4nhrWszQ6iM9dsUDdmcXtkJqpCwUrp4QpHMVLR"     \
    "9DGSggCGjZ8TFQ"
#define JWT_ES256                                                                                  \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.L7Xy7iwFQcAwKCh-Ie5AJIOxRXaWN_Oozv9CFFqb_Rno6SJRDMMszoRgYT8BO-DUn"     \
    "d56Huy_JQbpSNu-srVorQ"
#define JWT_ES384                                                                                  \
    "eyJhbGciOiJFUzM4NCIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjMzg0In0.eyJpc3MiOiJodHRwczovL2xvZ2lu"     \
    "LmV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAs"     \
    "Im5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJh"     \
    "bGljZUBleGFtcGxlLnRlc3QifQ.K6kitfv8M80kiTw-ZfVCUvgQC68uwYtAzFHGcfAmp2s5bjXJapv235AOCW11q"     \
    "MvBc9Ux_8wB4LlptmJ2d3tcEekohfktL3sKJMpbsmJ6mDFXVOI1tAqVrFKjiSQ5SOtb"
#define JWT_ES512                                                                                  \
    "eyJhbGciOiJFUzUxMiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjNTIxIn0.eyJpc3MiOiJodHRwczovL2xvZ2lu"     \
    "LmV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAs"     \
    "Im5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJh"     \
    "bGljZUBleGFtcGxlLnRlc3QifQ.AOZlvXmXhX3cuMpsbU1F4Tg0Hg_aGPM7gi3sE3JGSlTMLJYraeYQRJEINAIYH"     \
    "bYSIqa88YBO0SQn0AIwmYw2DmpJATCDJ84lTBm7oNhmH_IFTFTl7lSyAqM2MXpxIo4h6qflb9O5AO0uum-XueJwO"     \
    "-VzkWCQmKuu7LeLF6fsn6LjFCqQ"
#define JWT_EDDSA                                                                                  \
    "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVkIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.7zwSoB5sCzKc599aLoVEjSR3LtOlXEfS4cXWWfGzYhb0ymnFIbPMfzyBt7WSxqXe1"     \
    "TtAHbp3kodF7H5tl2-bAw"
#define JWT_NO_KID                                                                                 \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUudGVzdCI"     \
    "sInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5iZiI6MTcwMDAwMDA"     \
    "wMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGljZUBleGFtcGxlLnR"     \
    "lc3QifQ.qvF3jAIjYppcJVh1o4xWJ11tRP0L4HdMIc0-dsTHTqoXUL8HpB4zlXWbSq4iLQmxDkn-YOMuKvDpo63Z"     \
    "xjamqw"
#define JWT_NEXT_KID                                                                               \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im5leHQifQ.eyJpc3MiOiJodHRwczovL2xvZ2luL"     \
    "mV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsI"     \
    "m5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhb"     \
    "GljZUBleGFtcGxlLnRlc3QifQ.bDUut9-1Y3YKzKypDh7X3Ef8wbOkMK3ej3HecdawyKqbP2c9u_EcRBtMaGU_2W"     \
    "AWeWjFh30QSJTLUMsg7z4Kvw"
#define JWT_OTHER_SIGNER                                                                           \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.ST8295MJOs5i7D9uWoohnZ8Hdno5DE0hH2Z4pHkvTAWXwmV_bGtphP_GcryL7c-FV"     \
    "Tcxe7t4VVvhYApfovPDjg"
#define JWT_PS256_FOR_RS256_KEY                                                                    \
    "eyJhbGciOiJQUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzMjU2In0.eyJpc3MiOiJodHRwczovL2xvZ2lu"     \
    "LmV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAs"     \
    "Im5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJh"     \
    "bGljZUBleGFtcGxlLnRlc3QifQ.KxA7qODYm5zCZqXJa6EVK9Y8NsdwCJnuRYPCAszk53MfTMQIYBZuGaFmrM0Qt"     \
    "CdaFHuTMWr_rZG0kmgtBqt4Z6d7e3LvEbsOHiZXNm8tC2CRkejdVDCGpCMf_4hwGN5MU30URvjxTF6cKF7ZRk1dd"     \
    "mx2cIdb4lEqpf8HzASwqDCFSPQ9r2t2HgUODVYqr6vPx8uv_YQAaEKJYdsRmEEvYYMzR__REy76PmTDbfx6d7yuI"     \
    "LxXdM96sUfdW6mnbKtkvlGaZXL41nWoAmj1GuWxPBRsnz3PRRXsFridWOAl02eLqH_ik7c_qQC1O1-WCyBoAfDsF"     \
    "-HKDEqYUjOrPrT52Q"
#define JWT_EC_OF_OTHER_CURVE                                                                      \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjMzg0In0.eyJpc3MiOiJodHRwczovL2xvZ2lu"     \
    "LmV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAs"     \
    "Im5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJh"     \
    "bGljZUBleGFtcGxlLnRlc3QifQ.Xj-VGe-26vbr2stKNZ6hwfU9eNRrqSBol45qYQv1NG-r-N9twTq8qzs7Ea3xc"     \
    "piSi0EozxhGUdbdbwG2srFQWg"
#define JWT_ENCRYPTION_KEY                                                                         \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVuYyJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.OyYDfZh1f7EUgjrsnPch5XTUufgyZazfYxw7iwHNDc1KtJuOtCJVfKMHxpa4KD8C"     \
    "xdMVaIkp01vTcJbLHbyKSjK4ouS_9wla_0fzZTeSAnMZntpjoWLGfjByObM-FJ_xMnM1m-nIWUrzEJEO6T-j1R_c"     \
    "JcdQzgul-eTgmJFzkWhkegjlM7E6U5pk1nyL2QjaIxPUX2bMCn4ALLrtzZIieyADhiJ9NLHwZ1WM5mdZrs_0v6S-"     \
    "xeFE5r-eytcvjVYSt3voVR_r7xxL0dcdA9jbbA0JOcn8vFKgq7MAakIaZ2hU--DCMuggWC4ICT7Hd8cojnk56Hvi"     \
    "AQ8sz0Pw5mWf7Q"
#define JWT_WEAK_KEY                                                                               \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IndlYWsifQ.eyJpc3MiOiJodHRwczovL2xvZ2luL"     \
    "mV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsI"     \
    "m5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhb"     \
    "GljZUBleGFtcGxlLnRlc3QifQ.q8AjN32DfV1JwIh6OKSk0x0XngGqzGmtsv9OgpHL5J0vxJPvaYysftGrjCR8M2"     \
    "H0C6tofwbubzt_0-pBRDmXktFXVUK8H9Vfe6aiiGSNGAb_82-NHXF87YU1IsJgT2_Xd1YjUT1KENduqvd4eAKw33"     \
    "pSHn3b6oAcbYbVrBjXBcg"
#define JWT_DER                                                                                    \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.MEUCIDeDZz5rbq8NZA9z_q9lKb0DITicfooI4gk7sodvQ6iXAiEArJFJ8LObkOY81"     \
    "-c-0t837YMa7zqe7Qe10hM-0I5z398"
#define JWT_ZEROS                                                                                  \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"     \
    "AAAAAAAAAAAAAAAAAAAAA"
#define JWT_NONE                                                                                   \
    "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUudGVzdCIs"     \
    "InN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5iZiI6MTcwMDAwMDAw"     \
    "MCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGljZUBleGFtcGxlLnRl"     \
    "c3QifQ."
#define JWT_NONE_KID                                                                               \
    "eyJhbGciOiJOb25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoicnNhIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ."
#define JWT_HS256_PEM                                                                              \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.5sEQTLCiqavOor9ms-0xBctFtssR4zTjZMO8mWErbzs"
#define JWT_HS256_OCT                                                                              \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im9jdCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV"     \
    "4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5"     \
    "iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGl"     \
    "jZUBleGFtcGxlLnRlc3QifQ.q6dMxvrMpA-n3wXNH7cfS79gPICWqjwlJF3Qm2wSDBM"
#define JWT_CRITICAL                                                                               \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIiwiY3JpdCI6WyJiNjQiXSwiYjY0IjpmYWxz"     \
    "ZX0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwi"     \
    "bWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6"     \
    "Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGljZUBleGFtcGxlLnRlc3QifQ.OwmySASemBfHU5yjdtTgHmVwEtWWR"     \
    "wT71qIsjivvcn86XXgQCPDYaU-M_FTrr55tQNmn529ll4YQQo51WKVr6g"
#define JWT_LOGOUT                                                                                 \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImxvZ291dCtqd3QiLCJraWQiOiJlYyJ9.eyJpc3MiOiJodHRwczovL2xvZ2l"     \
    "uLmV4YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDA"     \
    "sIm5iZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJ"     \
    "hbGljZUBleGFtcGxlLnRlc3QifQ.H3LsW_QK-aTlNpA0hxrNVMPSLkJswNGL3hgWh7bZB-vYTXGnS0xLkOpJdcuj"     \
    "8WLBXtMK57jr0VaC7pbJu0cReQ"
#define JWT_TWICE                                                                                  \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsImlzcyI6IngiLCJhdWQiOiJtYWlsIiwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6ImFsaWNl"     \
    "QGV4YW1wbGUudGVzdCJ9.u6IPfMiZ07XrwAAsqEE8_vYPnYevh-k7vRWfxW669sGcgd_MTqd0WuugoiFaUQjBwmy"     \
    "2YCrJzYJjRx6Q5b5Jjw"
#define JWT_ENDED                                                                                  \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjE3MDAwMDM2MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.RbbuMjBzVkTFdWvncWdjay9ZtdgPeyjaqLGD8aNkt3QNlP4xw1Q3jkAwhqQ8CD19D"     \
    "ZAsFVHg7_FYr0PrUjnGrQ"
#define JWT_EARLY                                                                                  \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6NDEwMjQ0MDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QifQ.RM7Pwcwsi5Vo0bLXJXnONNq0PMXFhUHvkToeS18x4iDU06mAESEGAzKzPZlOtocoO"     \
    "NsoF4-mYPvU8XUj6UcdkQ"
#define JWT_OTHER_AUDIENCE                                                                         \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOiJjYWxlbmRhciIsImV4cCI6NDEwMjQ0NDgwMCwibmJmIjox"     \
    "NzAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDAsInNjb3BlIjoib3BlbmlkIG1haWwiLCJlbWFpbCI6ImFsaWNlQGV4"     \
    "YW1wbGUudGVzdCJ9.fTjmH57PrZDGjtm9uudzlOG-KoaN4OhYmzDzux__f3M9WiT30Hm_Exk8Oq-QmjasG7bj2TJ"     \
    "snx2toQlYHPsx5w"
#define JWT_OTHER_ISSUER                                                                           \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUuY29tIiwic3ViIjoiNDcxMSIsImF1ZCI6WyJ3ZWIiLCJtYWlsIl0sImV4cCI6NDEwMjQ0NDgwMCwibmJm"     \
    "IjoxNzAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDAsInNjb3BlIjoib3BlbmlkIG1haWwiLCJlbWFpbCI6ImFsaWNl"     \
    "QGV4YW1wbGUudGVzdCJ9.8siqonTBZkR_UIBEbkRD3SZR2tacrBzjqDbQIVIDtnespYb4rl1bwhZG6xNyNcAhgm9"     \
    "VO_8cTIJz4sa3JciWyA"
#define JWT_NO_SCOPE                                                                               \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsYm94IiwiZW1haWwiOiJh"     \
    "bGljZUBleGFtcGxlLnRlc3QifQ.rB6KDuqrp4y2fkifuF0K9K4zpvY_fPDVAxCkYzexbiam6hpVXf8DLbE0Sugig"     \
    "Wo86pXtCvPH0hm9DpX6R7QQjw"
#define JWT_UNVERIFIED                                                                             \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJhbGlj"     \
    "ZUBleGFtcGxlLnRlc3QiLCJlbWFpbF92ZXJpZmllZCI6ZmFsc2V9.qPIIPcDGP3ZPu1uiU78RFwF7lDzEvyJCd9k"     \
    "sF4ItOLMjMSBW7IuOMrhLGR-FjYBJj6_B_TYgAXGTlVGXOcgMFQ"
#define JWT_BOB                                                                                    \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJib2JA"     \
    "ZXhhbXBsZS50ZXN0In0.gXv5vzE9DbCay-PjT7LCilNIw0J_wqHAG3hDkQdmz8sNpPcdavLKkrSipr4ijP7YjK6E"     \
    "GcHodXZVKEiR5kXb2w"
#define JWT_CAROL                                                                                  \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4"     \
    "YW1wbGUudGVzdCIsInN1YiI6IjQ3MTEiLCJhdWQiOlsid2ViIiwibWFpbCJdLCJleHAiOjQxMDI0NDQ4MDAsIm5i"     \
    "ZiI6MTcwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZW1haWwiOiJjYXJv"     \
    "bEBleGFtcGxlLnRlc3QifQ.2nPfhlmno4rq_rc2-rck6sLyWLQNV4srZEEC2jBdgDFe1LsoCLMOKpWM4ZV9khRSf"     \
    "AvW3a45QHOH2kIcRS2BWA"
