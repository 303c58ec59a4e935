#!/usr/bin/env python3
"""Writes words and their stems by PyStemmer, as the expected results of the language analyzers.

Run by hand, in a virtual environment with the PyPI package PyStemmer (2.2: the algorithms of libstemmer 2.2):
    python tools/oracle/stem_oracle.py > tests/data/stems.tsv           # the sample of the repository
    python tools/oracle/stem_oracle.py --cases 20000 --seed 7 > F       # a large comparison; then
    VECSTORE_STEMS=F text_test --gtest_filter='Stems.*'
Snowball changes rules from version to version; --agree F keeps only what F, made with another version and the same arguments,
has too. One line per word: language, word, stem, apart by tabs. The words are made up: real and random beginnings with the
endings of the language, folded as the analyzers fold.
"""
import argparse
import random
import sys
import unicodedata

import Stemmer

# language: (letters for random beginnings, real beginnings, endings)
LATIN = "a e i o u b c d f g h k l m n p r s t v".split()
LANGUAGES = {
    "arabic": ("ا ب ت ج ح د ر س ش ع ف ق ك ل م ن ه و ي".split(), "كتاب مدرس معلم سيار طالب بيت مدين علم".split(),
               "ات ون ين ان ة ها هم كم نا ه ي تم وا ية يات".split()),
    "armenian": ("ա բ գ դ ե զ ի լ կ հ մ ն ո պ ս վ տ ր ք".split(), "գիրք քաղաք մարդ երկիր լեզու գեղեցիկ".split(),
                 "ը ի ին ից ով ում եր ներ ների ներով ական ություն ություններ ելու ած ում".split()),
    "basque": (LATIN + ["z", "tx"], "etxe liburu mendi hiri gizon eder lagun".split(),
               "a ak ek en ean eko era tik ari arekin rentzat tasun garri tzaile tu ten".split()),
    "catalan": (LATIN + ["ç", "à"], "llibre ciutat nacion parl cant bell estim".split(),
                "s es a ar ava ació acions ment itat itats ador ant isme ista ós osa aria".split()),
    "danish": (LATIN + ["å", "ø", "æ"], "hus bil arbejd skov menneske frihed lær".split(),
               "e er en et ene erne ens ernes hed heder lig ligt ende ede els s erende".split()),
    "dutch": (LATIN + ["ij", "oe"], "huis boek werk vrijheid mens lop heer".split(),
              "en s e heden heid lijk lijke ing ingen baar end ene tje je ers".split()),
    "english": (LATIN + ["y", "w", "x"], "run happi nation operat general connect fly argu hop cry".split(),
                "s es ed ing ly y ies ness ation ations ational ement able ible ful ousness ized izing er ive".split()),
    "finnish": (LATIN + ["ä", "ö", "y"], "talo kirja kaupunki ihmis kauni tietokone puhu".split(),
                "n ssa ssä sta stä on een lla llä lta ltä lle na nä ksi t i en ista issa mme nsa nsä ni kin ko".split()),
    "french": (LATIN + ["é", "è", "ç", "ê"], "nation continu parl maison mang général beau heureu".split(),
               "s es e er ez ons ent ait aient ation ations ement ements ité ités eur euse iste isme if ive amment".split()),
    "german": (LATIN + ["ä", "ö", "ü", "sch"], "haus häus kind freund arbeit schön buch büch".split(),
               "e er en em es s heit heiten keit ung ungen lich liche isch ig igkeit end ern est st".split()),
    "greek": ("α β γ δ ε η ι κ λ μ ν ο π ρ σ τ υ φ χ ω".split(), "ανθρωπ βιβλι πολ σπιτ γραφ μεγαλ εργασι".split(),
              "ος ου ο οι ων ους α ας ες η ης ει εις ουμε ετε ουν ικος ικη ισμος ματα ματων".split()),
    "hindi": ("क ख ग च ज ट ड त द न प ब म य र ल व स ह".split(), "किताब लड़क घर शहर आदम सुंदर पढ़".split(),
              "ा ी े ों ें ियाँ ियों ना ता ते ती ाएगा ाओ कर ाई".split()),
    "hungarian": (LATIN + ["á", "é", "ő", "ü", "sz"], "ház könyv város ember szép autó tanul".split(),
                  "ak ek ok k t at et ban ben ból ből nak nek val vel hoz hez ra re ság ség unk ünk am em jai ei ért".split()),
    "indonesian": (LATIN, "baca tulis jalan rumah kerja ajar makan".split(), "kan an i nya ku mu lah kah pun annya".split()),
    "irish": (LATIN + ["á", "í", "ú"], "leabhar teach cathair fear oibr bean".split(),
              "a e í aí acha anna eanna íocht óir óirí ach aigh eadh adh ireacht".split()),
    "italian": (LATIN + ["à", "è"], "libr citt nazion parl mangi bell felic".split(),
                "o a i e are ere ire ato ata ando azione azioni mente ità amente atore atrice ista ivo abile erebbe".split()),
    "lithuanian": (LATIN + ["š", "ž", "ė", "ų"], "nam knyg miest žmog graž dirb".split(),
                   "as o ui ą e ai ų ams us uose is ies ė ės ėmis iausias ti a ome ote avo".split()),
    "nepali": ("क ख ग च ज ट ड त द न प ब म य र ल व स ह".split(), "किताब घर शहर मान्छे गाउँ".split(),
               "हरू को का की ले लाई मा बाट हरूको हरूलाई छ छन्".split()),
    "norwegian": (LATIN + ["å", "ø", "æ"], "hus bil arbeid skog menneske frihet lær".split(),
                  "e er en et ene enes ens het heter heten lig ende ede els s eleg".split()),
    "porter": (LATIN + ["y", "w", "x"], "run happi nation operat general connect fly argu hop cry".split(),
               "s es ed ing ly y ies ness ation ations ational ement able ible ful ousness ized izing er ive".split()),
    "portuguese": (LATIN + ["ã", "ç", "é"], "livro cidade nac fal cas bonit feliz".split(),
                   "s es a o ar er ir ado ada ando ação ações mente idade idades ador ista ismo oso osa ávamos eria".split()),
    "romanian": (LATIN + ["ă", "î", "ş", "ţ"], "carte oraş nation vorb frumos cas".split(),
                 "ul ului ele elor ii ilor a e i ează ind are ări ător atie abil ist ism tate uri".split()),
    "russian": ("а б в г д е ж з и к л м н о п р с т у х ч ш я".split(), "книг город человек красив работ дом чита".split(),
                "а ы е у ой ами ах ов ость ости ый ая ое ые ого ому ими ать ает ил ила ешь ейший ться вшись".split()),
    "serbian": ("а б в г д е ж з и ј к л м н о п р с т у х ч ш".split(), "књиг град човек леп кућ рад".split(),
                "а е у и ом ама ове ови ост ости ски ска ње ња ти ла ли ао".split()),
    "spanish": (LATIN + ["ñ", "á", "é"], "libro ciudad nacion habl cas bonit feliz gener".split(),
                "s es a o ar er ir ado ada ando iendo ación aciones mente idad idades ador ista ismo oso ábamos ería".split()),
    "swedish": (LATIN + ["å", "ä", "ö"], "hus bil arbet skog människ frihet lär".split(),
                "a ar er or en et na arna orna s het heter lig ligt ande ade else erna ens".split()),
    "tamil": ("க ச ட த ப ம ய ர ல வ ன ண".split(), "வீடு நகரம் மரம் புத்தக மனித".split(), "கள் ின் ை ால் ுக்கு ில் ும் ாக ான".split()),
    "turkish": (LATIN + ["ç", "ğ", "ı", "ö", "ş", "ü"], "ev kitap şehir insan güzel çocuk araba".split(),
                "ler lar de da den dan in ın im ım i ı e a leri ları imiz ımız dir dır lik lık siz sız ki".split()),
    "yiddish": ("א ב ג ד ה ו ז ט י כ ל מ נ ס ע פ צ ק ר ש".split(), "הויז בוך קינד שטאט ארבעט".split(), "ער ן ען ס עס לעך קייט הייט ונג ט סט".split()),
}


def folded(word):
    """None for a word that an analyzer would change first."""
    out = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    return out if out == word else None


def make_word(rng, language):
    letters, beginnings, endings = LANGUAGES[language]
    word = rng.choice(beginnings) if rng.random() < 0.5 else "".join(rng.choice(letters) for _ in range(rng.randrange(1, 8)))
    for _ in range(rng.choices([0, 1, 2], [1, 6, 3])[0]):
        word += rng.choice(endings)
    return folded(unicodedata.normalize("NFKC", word).casefold())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100, help="words of each language")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--agree", help="a file of this program, made with another version of PyStemmer")
    args = parser.parse_args()
    other = set(open(args.agree, encoding="utf-8").read().splitlines()) if args.agree else None
    for language in sorted(LANGUAGES):
        rng = random.Random(f"{args.seed} {language}")
        stemmer = Stemmer.Stemmer(language)
        words = sorted({w for w in (make_word(rng, language) for _ in range(args.cases)) if w})
        for word in words:
            line = f"{language}\t{word}\t{stemmer.stemWord(word)}"
            if other is None or line in other:
                sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
